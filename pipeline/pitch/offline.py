"""Accurate pitch for recordings: SwiftF0, which looks 160 ms ahead and so serves offline only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

Float = NDArray[np.float32]

RATE = 16_000
HOP_S = 0.016
VOICED = 0.5  # confidence
SILENCE_PEAK = 1e-3  # digital silence is a texture that the model never saw


@dataclass(frozen=True)
class PitchTrack:
    """Pitch at equally spaced instants; all arrays are (frames,)."""

    times_s: NDArray[np.floating]
    f0_hz: Float  # 0 where unvoiced
    confidence: Float  # 0..1; voiced from 0.5 on


@cache
def _session(model: Path) -> Any:
    from pipeline import onnx

    return onnx.open_session(model)


def track(
    audio: Float, sample_rate: int, model: Path, *, low_hz: float = 46.875, high_hz: float = 1100.0
) -> PitchTrack:
    """Track the pitch of a recording.

    Args:
        audio: (samples,) float32 mono.
        sample_rate: Hz.
        model: the registered weights "swiftf0".
        low_hz, high_hz: the range to look in, within 46.875 to 2093.75 Hz.

    Returns:
        A pitch every 16 ms.
    """
    mono = audio if sample_rate == RATE else soxr.resample(audio, sample_rate, RATE)
    mono = np.ascontiguousarray(mono, np.float32)
    if len(mono) < 256:
        mono = np.pad(mono, (0, 256 - len(mono)))
    inputs = {"audio": mono[None], "fmin": np.array(low_hz, np.float32), "fmax": np.array(high_hz, np.float32)}
    pitch, confidence = (
        np.asarray(a[0], np.float32) for a in _session(model).run(["pitch", "confidence"], inputs)
    )
    frames = len(confidence)
    peaks = np.abs(np.resize(np.pad(mono, (0, frames * 256)), frames * 256).reshape(frames, 256)).max(1)
    confidence = np.where(peaks < SILENCE_PEAK, np.float32(0), confidence)
    return PitchTrack(
        np.arange(frames) * HOP_S, np.where(confidence >= VOICED, pitch, np.float32(0)), confidence
    )
