"""A take sung again offline: its dry voice goes where the vocals of a song go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auto_voice.jobs.parts import Progress
from auto_voice.storage.take_files import BLOCK, RATE, SamplesFile
from pipeline.converters.base import Controls
from pipeline.converters.kept import KeptConverters
from pipeline.pitch.trackers import open_tracker
from pipeline.song import mix
from pipeline.song.convert import convert_vocals, whole_octaves
from pipeline.song.pitch import track_pitch
from pipeline.song.track import Track, TrackWriter
from pipeline.voice import Target

DRY = "dry.pcm"


@dataclass(frozen=True)
class TakeRequest:
    """What somebody wants of a take."""

    voice_id: str
    frames: int  # of all its files
    preset: str = "quality"


class TakeSinger:
    """Sings takes again in one process.

    Args:
        models_dir: of the weights.
        converters: that are loaded already, or will be.
    """

    def __init__(self, models_dir: Path, converters: KeptConverters) -> None:
        self._models_dir, self._converters = models_dir, converters

    def sing(
        self, given: Path, request: TakeRequest, voice: Target, folder: Path, progress: Progress
    ) -> dict[str, Any]:
        """Make voice.flac, aligned to the sample with what was sung.

        Args:
            given: a folder with the dry voice, at 48 kHz.
            request: what is wanted.
            voice: the target.
            folder: gets the files.
            progress: told how far each stage is; whatever it raises ends the work.

        Returns:
            `files`, `metadata`, `notes`: JSON.

        Raises:
            PipelineError: weights that cannot be had.
        """
        samples = SamplesFile(given / DRY, 1)
        with TrackWriter(folder / "dry.wav", RATE, 2) as writer:
            for block in samples.blocks(request.frames):
                writer.append(block.repeat(2, 0))
        dry, notes = Track(folder / "dry.wav"), []
        melody = track_pitch(
            dry, open_tracker("swiftf0", self._models_dir), lambda part: progress("pitch", part)
        )
        octaves = whole_octaves(melody.f0_hz, voice.median_f0_hz)
        if melody.is_sung:
            controls = Controls(pitch_semitones=12.0 * octaves, auto_pitch=False)
            made = convert_vocals(
                dry,
                folder / "converted.wav",
                self._converters.prepared(voice),
                voice,
                controls,
                lambda part: progress("conversion", part),
                melody,
            )
        else:
            made, octaves = dry, 0
            notes.append("no singing was found: the voice is as it was")
        gain = mix.matching_gain(made, dry)
        mono = _mono(made, folder / "mono.wav")
        mix.write_stem(mono, folder / "voice.flac", gain, lambda part: progress("mixing", part))
        for left in ("dry.wav", "converted.wav", "mono.wav"):
            (folder / left).unlink(missing_ok=True)
        return {
            "files": {"voice": "voice.flac"},
            "metadata": {
                "frames": request.frames,
                "sample_rate": RATE,
                "target_profile_id": request.voice_id,
                "preset": request.preset,
                "transposition_semitones": 12.0 * octaves,
            },
            "notes": notes,
        }


def _mono(track: Track, target: Path) -> Track:
    with TrackWriter(target, track.sample_rate, 1) as writer:
        for block in track.blocks(BLOCK):
            writer.append(block.mean(0, keepdims=True))
    return Track(target)
