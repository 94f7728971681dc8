"""From a recording on disk to a measured voice, within the limits of the settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from auto_voice.settings import Settings
from pipeline import io, weights
from pipeline.profile import ProfileMeasurement, make_voice
from pipeline.speaker import SpeakerEncoder

MARGIN_S = 30.0  # a little more than allowed is read, so that the silence around a recording does not count


def measure_file(path: Path, name: str, settings: Settings) -> ProfileMeasurement:
    """Decode, check and measure a recording.

    Raises:
        PipelineError: what is wrong with the recording, or weights that cannot be had.
    """
    limits, models_dir = settings.limits, settings.storage.models_dir
    audio = io.decode(
        path,
        sample_rate=48_000,
        max_seconds=limits.max_profile_duration_s + MARGIN_S,
        max_bytes=limits.max_audio_size_mb * 2**20,
    )
    measured = make_voice(
        audio.samples,
        audio.sample_rate,
        encoder=SpeakerEncoder(weights.fetch("resemblyzer", models_dir)),
        pitch_model=weights.fetch("swiftf0", models_dir),
        name=name,
        min_seconds=limits.min_profile_duration_s,
        max_seconds=limits.max_profile_duration_s,
    )
    of_file = {"sample_rate": audio.source_rate, "channels": audio.channels, "format": audio.format}
    return replace(measured, audio_info={**measured.audio_info, **of_file})
