"""Analysis marks: one per pitch period in voiced sound, locked to its waveform; evenly spaced elsewhere."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.pitch.live import LOOKAHEAD
from pipeline.timbre import SAMPLE_RATE
from pipeline.vocoder.stream import HOP, PITCH_RING, RING, SIDE, UNVOICED_STEP, Stream

Float = NDArray[np.float32]

SEARCH = 0.2  # marks may lie this fraction of a period from where the pitch tracker expects them


@njit(nogil=True, cache=True, error_model="numpy")
def f0_at(v: Stream, r: int, time: float) -> float:
    """Tracked pitch in Hz at a position in samples; the newest known one where it is not known yet."""
    hop = min(int((time + LOOKAHEAD) / HOP + 0.5) - 1, v.hops[r] - 1)
    return v.f0[r, hop & (PITCH_RING - 1)] if hop >= 0 else 0.0


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _similarity(ring: Float, a: int, b: int, length: int, stride: int) -> np.float32:
    """Normalised correlation of `length` samples from a and from b, every `stride`-th."""
    mask = RING - 1
    ab, aa, bb = np.float32(0.0), np.float32(1e-9), np.float32(1e-9)
    for i in range(0, length, stride):
        x, y = ring[(a + i) & mask], ring[(b + i) & mask]
        ab += x * y
        aa += x * x
        bb += y * y
    return np.float32(ab / math.sqrt(aa * bb))


@njit(nogil=True, cache=True, error_model="numpy")
def _next_period(v: Stream, r: int, mark: float, period: float) -> float:
    """The place one period after `mark` where the waveform looks most like that at the mark."""
    ring = v.ring[r]
    origin = int(math.floor(mark + 0.5))
    length = int(period)
    reach = max(2, int(SEARCH * period))
    start = origin - (3 * length) // 4
    # the segment compared must not run past the newest sample
    length = min(length, v.position[r] - (start + int(period) + reach))
    if length < 16:
        return mark + period
    stride = max(1, int(period / 96))
    centre = origin + int(period + 0.5)
    best, best_lag = np.float32(-2.0), 0
    for lag in range(-reach, reach + 1, stride):
        score = _similarity(ring, start, start + centre - origin + lag, length, stride)
        score -= np.float32(0.1 * abs(lag) / reach)
        if score > best:
            best, best_lag = score, lag
    low = best_lag
    if stride > 1:
        best = np.float32(-2.0)
        for lag in range(best_lag - stride + 1, best_lag + stride):
            score = _similarity(ring, start, start + centre - origin + lag, length, 1)
            if score > best:
                best, low = score, lag
    left = _similarity(ring, start, start + centre - origin + low - 1, length, 1)
    middle = _similarity(ring, start, start + centre - origin + low, length, 1)
    right = _similarity(ring, start, start + centre - origin + low + 1, length, 1)
    bend = float(left - 2.0 * middle + right)
    part = 0.5 * float(left - right) / bend if bend < -1e-9 else 0.0
    return mark + (centre - origin) + low + min(0.5, max(-0.5, part))


@njit(nogil=True, cache=True, error_model="numpy")
def _onset(v: Stream, r: int, mark: float, period: float) -> float:
    """The strongest instant of the first period after `mark`: where its grains lose least to their window."""
    start = int(mark) + 24
    end = min(int(mark) + int(period), v.position[r] - 8)
    best, place = -1.0, float(start)
    for n in range(start, end):
        energy = 0.0
        for i in range(-6, 7, 2):
            energy += v.ring[r, (n + i) & (RING - 1)] ** 2
        if energy > best:
            best, place = energy, float(n)
    return place


@njit(nogil=True, cache=True, error_model="numpy")
def advance(v: Stream, r: int) -> None:
    """Make the next mark the current one, and find the one after it."""
    v.mark[r, 0], v.mark[r, 1] = v.mark[r, 1], v.mark[r, 2]
    v.voiced[r, 0] = v.voiced[r, 1]
    mark = v.mark[r, 1]
    f0 = f0_at(v, r, mark)
    if v.voiced[r, 0] and f0 > 0.0:
        following = _next_period(v, r, mark, SAMPLE_RATE / f0)
        # a period longer than a grain's side gets further marks inside it
        v.mark[r, 2] = mark + (following - mark) / math.ceil((following - mark) / SIDE)
    else:
        even = math.floor(mark) + UNVOICED_STEP
        f0 = f0_at(v, r, even)
        v.mark[r, 2] = _onset(v, r, mark, min(SAMPLE_RATE / f0, float(SIDE))) if f0 > 0.0 else even
    v.voiced[r, 1] = f0_at(v, r, v.mark[r, 2]) > 0.0
