"""What a conversion did to pitch and voice, measured; what cannot be measured says why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

FEWEST_FRAMES = 10


@dataclass(frozen=True)
class PitchAccuracy:
    """Agreement of two pitch tracks on the frames that are voiced in both."""

    rmse_hz: float
    rmse_cents: float
    rmse_log2: float
    median_abs_cents: float
    correlation: float | None  # of log pitch; None where a melody does not move
    common_frames: int


@dataclass(frozen=True)
class Unmeasured:
    """A figure that could not be had, and why."""

    reason: str


def pitch_accuracy(
    reference_hz: Float, converted_hz: Float, semitones: float = 0.0
) -> PitchAccuracy | Unmeasured:
    """Compare two pitch tracks of one hop, 0 Hz where unvoiced.

    Args:
        reference_hz: (frames,) what was sung.
        converted_hz: (frames,) what came out; the longer one is cut.
        semitones: the intended transposition, taken out before comparing.
    """
    count = min(len(reference_hz), len(converted_hz))
    sung = reference_hz[:count].astype(float) * 2 ** (semitones / 12)
    heard = converted_hz[:count].astype(float)
    both = (sung > 0) & (heard > 0)
    if both.sum() < FEWEST_FRAMES:
        return Unmeasured(f"only {int(both.sum())} frames are voiced in both")
    sung, heard = sung[both], heard[both]
    octaves = np.log2(heard / sung)
    moving = np.std(np.log2(sung)) > 1e-4 and np.std(np.log2(heard)) > 1e-4
    return PitchAccuracy(
        rmse_hz=float(np.sqrt(np.mean((heard - sung) ** 2))),
        rmse_cents=float(1200 * np.sqrt(np.mean(octaves**2))),
        rmse_log2=float(np.sqrt(np.mean(octaves**2))),
        median_abs_cents=float(1200 * np.median(np.abs(octaves))),
        correlation=float(np.corrcoef(np.log2(sung), np.log2(heard))[0, 1]) if moving else None,
        common_frames=int(both.sum()),
    )


def similarity(one: Float, other: Float) -> float | Unmeasured:
    """Cosine of two speaker embeddings."""
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    if one.shape != other.shape or not size > 0:
        return Unmeasured("an embedding is empty")
    return float(np.dot(one, other) / size)


def f0_statistics(f0_hz: Float) -> dict[str, float] | Unmeasured:
    """Range and middle of a pitch track, in Hz."""
    voiced = f0_hz[f0_hz > 0]
    if len(voiced) < FEWEST_FRAMES:
        return Unmeasured("hardly anything is voiced")
    low, middle, high = np.percentile(voiced, (5, 50, 95))
    return {
        "min_hz": round(float(low), 2),
        "median_hz": round(float(middle), 2),
        "max_hz": round(float(high), 2),
        "voiced_fraction": round(len(voiced) / len(f0_hz), 4),
    }
