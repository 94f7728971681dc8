"""A look-ahead limiter for true peaks, as a stream.

Peaks between samples are found by fourfold interpolation (ITU-R BS.1770-4, annex 2). The gain that every sample
needs is held over the look-ahead and averaged over it, so it has come down wholly when the peak goes out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float32]

LOOK_AHEAD = 96  # samples (2.2 ms at 44.1 kHz)
PHASES, TAPS = 4, 12
DELAY = LOOK_AHEAD + TAPS // 2 - 1  # samples
RELEASE = 3e-4  # of what is missing, per sample (75 ms)


class Limiter(NamedTuple):
    """One stream's state; output is DELAY samples late."""

    interpolation: Float  # (PHASES, TAPS)
    past: Float  # (channels, DELAY) the last samples
    needed: Float  # (LOOK_AHEAD,) ring of the gains that samples need
    held: Float  # (LOOK_AHEAD,) ring of the gains held over the look-ahead
    place: NDArray[np.int64]  # (2,) samples so far; how many of them since one needed a gain
    gain: NDArray[np.float64]  # (2,) the gain held last, and the sum over `held`


def open_limiter(channels: int) -> Limiter:
    """Allocate a stream."""
    taps = np.arange(TAPS) - (TAPS - 1) / 2
    phases = (np.arange(PHASES) - (PHASES - 1) / 2) / PHASES
    kernel = np.sinc(taps[None] - phases[:, None]) * np.kaiser(TAPS + 2, 4.5)[1:-1]
    return Limiter(
        interpolation=(kernel / kernel.sum(1, keepdims=True)).astype(np.float32),
        past=np.zeros((channels, DELAY), np.float32),
        needed=np.ones(LOOK_AHEAD, np.float32),
        held=np.ones(LOOK_AHEAD, np.float32),
        place=np.array([0, LOOK_AHEAD]),
        gain=np.array([1.0, LOOK_AHEAD]),
    )


def limit(s: Limiter, x: Float, ceiling: float) -> Float:
    """Limit (channels, samples) to true peaks of `ceiling`; the result is DELAY samples late."""
    sound = np.concatenate((s.past, x), axis=1)
    s.past[:] = sound[:, sound.shape[1] - DELAY :]
    out = np.empty_like(x)
    _limit(s, sound, ceiling, out)
    return out


@njit(nogil=True, cache=True, fastmath=True)
def _peak(sound: Float, newest: int, interpolation: Float, ceiling: float) -> float:
    """The true peak around the sample TAPS // 2 before the newest; 0 where it is far below the ceiling."""
    highest = np.float32(0.0)
    for c in range(sound.shape[0]):
        near = np.float32(0.0)
        for t in range(TAPS):
            near = max(near, abs(sound[c, newest - TAPS + 1 + t]))
        if near < 0.4 * ceiling:
            continue
        highest = max(highest, abs(sound[c, newest - TAPS // 2]))
        for p in range(PHASES):
            value = np.float32(0.0)
            for t in range(TAPS):
                value += interpolation[p, t] * sound[c, newest - TAPS + 1 + t]
            highest = max(highest, abs(value))
    return float(highest)


@njit(nogil=True, cache=True, fastmath=True)
def _limit(s: Limiter, sound: Float, ceiling: float, y: Float) -> None:
    for i in range(y.shape[1]):
        peak = _peak(sound, DELAY + i, s.interpolation, ceiling)
        place = s.place[0] % LOOK_AHEAD
        s.place[0] += 1
        s.place[1] += 1
        s.needed[place] = 1.0
        if peak > ceiling:
            s.needed[place] = ceiling / peak
            s.place[1] = 0
        lowest = np.float32(1.0)
        if s.place[1] < LOOK_AHEAD:
            for k in range(LOOK_AHEAD):
                lowest = min(lowest, s.needed[k])
        s.gain[0] = min(np.float64(lowest), s.gain[0] + (1.0 - s.gain[0]) * RELEASE)
        s.gain[1] += s.gain[0] - s.held[place]
        s.held[place] = s.gain[0]
        gain = np.float32(min(s.gain[1] / LOOK_AHEAD, 1.0))
        for c in range(y.shape[0]):
            y[c, i] = sound[c, i] * gain
