"""From a recording of somebody to a voice: trimmed, checked, measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.converters.native.enrol import hear, make_bank
from pipeline.enrolment import measure_timbre
from pipeline.errors import AudioTooShort, InvalidDuration, PoorQuality
from pipeline.pitch import offline
from pipeline.speaker import SAMPLE_RATE as SPEAKER_RATE
from pipeline.speaker import SpeakerEncoder
from pipeline.timbre import SAMPLE_RATE
from pipeline.voice import F0_QUANTILES, Voice

Float = NDArray[np.float32]

FRAME = 960  # samples (20 ms)
TRIM_DB = 40.0  # the ends of a recording are silent where this far under its loud parts
MIN_VOICED_S = 5.0
SNR_REFUSED_DB, SNR_POOR_DB = 5.0, 15.0
CLIPPED = 0.985  # of full scale
CLIPPING_REFUSED, CLIPPING_POOR = 0.02, 0.001
PART_S = 5.0  # the recording is searched for a second speaker in parts of this length
SAME_SPEAKER = 0.70  # two halves of one person's recording are nearly always more alike than this
NOTES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


@dataclass(frozen=True)
class ProfileMeasurement:
    """A voice, and what was found out about the recording it was made from."""

    voice: Voice
    audio_info: dict[str, Any]
    vocal_range: dict[str, Any]
    quality_metrics: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def note_name(hz: float) -> str:
    """The note nearest to a frequency, such as A4 for 440 Hz."""
    midi = round(69 + 12 * np.log2(hz / 440.0))
    return f"{NOTES[midi % 12]}{midi // 12 - 1}"


def make_voice(
    audio: Float,
    sample_rate: int,
    *,
    encoder: SpeakerEncoder,
    pitch_model: Path,
    name: str,
    voice_id: str = "",
    min_seconds: float = 30.0,
    max_seconds: float = 120.0,
) -> ProfileMeasurement:
    """Make a voice from a recording of one person.

    Args:
        audio: (samples,) float32 mono.
        sample_rate: Hz.
        encoder: for the speaker embedding.
        pitch_model: the registered weights "swiftf0".
        name: what the voice is called.
        voice_id: its id, if it has one already.
        min_seconds, max_seconds: how long the recording must be, silence at its ends left out.

    Raises:
        AudioTooShort: shorter than that. InvalidDuration: longer.
        PoorQuality: too noisy, clipped, or hardly any voice in it.
    """
    full = audio if sample_rate == SAMPLE_RATE else soxr.resample(audio, sample_rate, SAMPLE_RATE)
    sound = _trim(full)
    seconds = len(sound) / SAMPLE_RATE
    if seconds < min_seconds:
        raise AudioTooShort(
            f"the recording holds {seconds:.1f} s of sound; {min_seconds:g} s are needed",
            f"record {min_seconds:g} to {max_seconds:g} s of one voice",
        )
    if seconds > max_seconds:
        raise InvalidDuration(
            f"the recording holds {seconds:.0f} s of sound; {max_seconds:g} s are allowed", "send a part of it"
        )
    snr_db, clipping = _snr_db(sound), float(np.mean(np.abs(sound) >= CLIPPED))
    low = soxr.resample(sound, SAMPLE_RATE, SPEAKER_RATE)
    f0 = offline.track(low, SPEAKER_RATE, pitch_model).f0_hz
    f0 = f0[f0 > 0]
    voiced_s = len(f0) * offline.HOP_S
    _refuse_poor(snr_db, clipping, voiced_s)
    timbre = measure_timbre(sound)
    quantiles = np.quantile(f0, F0_QUANTILES).astype(np.float32)
    frames = hear(sound)
    voice = Voice(voice_id, name, quantiles, timbre, encoder.embed(low), make_bank(frames), frames)
    alike = _halves_alike(low, encoder)
    warnings = _warnings(snr_db, clipping, timbre.bandwidth_hz, alike)
    lowest, highest = float(quantiles[0]), float(quantiles[-1])
    return ProfileMeasurement(
        voice=voice,
        audio_info={
            "duration_seconds": round(seconds, 2),
            "sample_rate": sample_rate,
            "voiced_seconds": round(voiced_s, 2),
            "bandwidth_hz": round(timbre.bandwidth_hz),
            "level_db": round(float(10 * np.log10(np.mean(sound.astype(float) ** 2) + 1e-12)), 1),
        },
        vocal_range={
            "min_pitch_hz": round(lowest, 1),
            "max_pitch_hz": round(highest, 1),
            "median_pitch_hz": round(float(quantiles[2]), 1),
            "min_note": note_name(lowest),
            "max_note": note_name(highest),
            "range_semitones": round(12 * float(np.log2(highest / lowest)), 1),
        },
        quality_metrics={
            "snr_db": round(snr_db, 1),
            "clipping_fraction": round(clipping, 5),
            "speaker_consistency": round(alike, 3),
            "quality_score": round(quality_score(snr_db, clipping, voiced_s), 3),
        },
        warnings=warnings,
    )


def quality_score(snr_db: float, clipping: float, voiced_seconds: float) -> float:
    """0 to 1: half for the SNR (5 dB to 35 dB), three tenths for voice (up to 20 s), two for no clipping."""
    snr = np.clip((snr_db - 5) / 30, 0, 1)
    voice = np.clip(voiced_seconds / 20, 0, 1)
    clean = np.clip(1 - clipping / CLIPPING_REFUSED, 0, 1)
    return float(0.5 * snr + 0.3 * voice + 0.2 * clean)


def _powers_db(audio: Float) -> NDArray[np.float64]:
    frames = len(audio) // FRAME
    squares = audio[: frames * FRAME].reshape(frames, FRAME).astype(float) ** 2
    return np.asarray(10 * np.log10(squares.mean(1) + 1e-12))


def _trim(audio: Float) -> Float:
    power = _powers_db(audio)
    if not len(power):
        return audio
    loud = np.flatnonzero(power > max(np.percentile(power, 95) - TRIM_DB, -75.0))
    return audio[loud[0] * FRAME : (loud[-1] + 1) * FRAME] if len(loud) else audio[:0]


def _snr_db(audio: Float) -> float:
    """Loud frames against the quietest twentieth: the floor that the voice stands on, capped at 80 dB."""
    power = _powers_db(audio)
    return float(min(np.percentile(power, 90) - max(np.percentile(power, 5), -90.0), 80.0))


def _refuse_poor(snr_db: float, clipping: float, voiced_s: float) -> None:
    if voiced_s < MIN_VOICED_S:
        raise PoorQuality(
            f"only {voiced_s:.1f} s of voice were found", "sing or speak closer to the microphone"
        )
    if snr_db < SNR_REFUSED_DB:
        raise PoorQuality(f"the voice is only {snr_db:.0f} dB above the noise", "record in a quiet room")
    if clipping > CLIPPING_REFUSED:
        raise PoorQuality(f"{clipping:.0%} of the recording is clipped", "lower the recording level")


def _halves_alike(audio: Float, encoder: SpeakerEncoder) -> float:
    """Cosine of the two most different groups of parts: low when two people take turns."""
    size = int(PART_S * SPEAKER_RATE)
    parts = [audio[i : i + size] for i in range(0, len(audio) - size + 1, size)]
    if len(parts) < 2:
        return 1.0
    seen = np.array([encoder.embed(part) for part in parts])
    alike = seen @ seen.T
    a, b = np.unravel_index(np.argmin(alike), alike.shape)
    near_a = alike[a] >= alike[b]
    first, second = seen[near_a].mean(0), seen[~near_a].mean(0)
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def _warnings(snr_db: float, clipping: float, bandwidth_hz: float, alike: float) -> list[str]:
    found = []
    if snr_db < SNR_POOR_DB:
        found.append(f"the recording is noisy ({snr_db:.0f} dB above the floor): the voice will be, too")
    if clipping > CLIPPING_POOR:
        found.append(f"{clipping:.2%} of the recording is clipped")
    if bandwidth_hz < 6000:
        found.append(
            f"the recording ends at {bandwidth_hz / 1000:.1f} kHz: what lies above stays the singer's own"
        )
    if alike < SAME_SPEAKER:
        found.append("there seems to be more than one speaker")
    return found
