"""The live pitch tracker: causal, 10 ms behind the newest sample, a row per stream.

Every hop the normalised square difference (McLeod and Wyvill, "A smarter way to find pitch", ICMC 2005; a
bounded relative of YIN's difference function) is taken on the signal at 12 kHz, over windows placed so that
every lag looks at the same instant. Its peaks are candidates of a Viterbi search that runs forward only: each
hop the best path's end is the answer, and nothing is revised later. The lag is refined at 48 kHz.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

SAMPLE_RATE = 48_000
HOP = 240  # samples between answers (5 ms)
LOOKAHEAD = 480  # an answer belongs to this many samples before the newest (10 ms)
F0_MIN_HZ, F0_MAX_HZ = 40.0, 1100.0

DECIMATION = 4
LOW_RATE = SAMPLE_RATE // DECIMATION
TAPS = 32
RING = 4096  # samples at 48 kHz per row
LOW_RING = 1024
MIN_LAG = 10
MAX_LAG = 302
SPAN = 2 * LOOKAHEAD // DECIMATION  # window plus lag, in low-rate samples, for lags up to half of it
MIN_WINDOW = 150  # low-rate samples (12.5 ms) that low voices' windows keep
CANDIDATES = 6

Float = NDArray[np.float32]

TINY = 1e-20  # smaller samples are taken for zero, before they can become denormal
SILENCE = 1e-7  # mean power below which nothing is voiced (-70 dBFS)
THRESHOLD = 0.48  # clarity that voiced sound must beat
OCTAVE_COST = 0.035  # clarity that an octave lower pitch must have more
JUMP_COST = 0.45  # per octave between neighbouring hops
SWITCH_COST = 0.10  # for starting or ending voiced sound
HIGH_ONSET_COST = 0.3  # per octave above HIGH_ONSET_HZ for starting there: coloured noise looks like that
HIGH_ONSET_HZ = 300.0
HIGH_CLARITY = 0.75  # that sound above it must have at any time
QUIET = 10.0**-3.8  # sound so far below the running peak in power is not voiced (-38 dB)
PEAK_FALL = 0.9977  # of the running peak in a hop (2 dB a second)
FORGET = 0.85  # what a path's past counts for


class LiveState(NamedTuple):
    """Stream state; the first axis of each array is the row."""

    position: NDArray[np.int64]  # (rows,) samples taken
    ring: Float  # (rows, RING) input at 48 kHz without its DC
    low: Float  # (rows, LOW_RING) input at 12 kHz
    dc: Float  # (rows, 2) last input and output of the DC blocker
    lag: NDArray[np.float64]  # (rows, CANDIDATES) lags of the last hop, low-rate samples; 0 none
    score: NDArray[np.float64]  # (rows, CANDIDATES + 1) path scores; the last one is unvoiced
    peak: NDArray[np.float64]  # (rows,) slowly falling maximum of the mean power


class Tables(NamedTuple):
    """Constants and scratch space of one thread."""

    fir: Float  # (TAPS,)
    clarity: Float  # (MAX_LAG + 2,)
    lag: NDArray[np.float64]  # (CANDIDATES,)
    value: NDArray[np.float64]  # (CANDIDATES,)
    score: NDArray[np.float64]  # (CANDIDATES + 1,)


def open_state(rows: int) -> LiveState:
    """Allocate the state of `rows` streams, all reset."""
    return LiveState(
        np.zeros(rows, np.int64),
        np.zeros((rows, RING), np.float32),
        np.zeros((rows, LOW_RING), np.float32),
        np.zeros((rows, 2), np.float32),
        np.zeros((rows, CANDIDATES)),
        np.zeros((rows, CANDIDATES + 1)),
        np.zeros(rows),
    )


def reset_row(state: LiveState, row: int) -> None:
    """Forget all that one row has heard."""
    for array in state:
        array[row] = 0


def make_tables() -> Tables:
    """Make the constants and scratch space for one thread."""
    n = np.arange(TAPS) - (TAPS - 1) / 2
    fir = np.sinc(0.8 * n / DECIMATION) * np.hamming(TAPS)
    return Tables(
        (fir / fir.sum()).astype(np.float32),
        np.zeros(MAX_LAG + 2, np.float32),
        np.zeros(CANDIDATES),
        np.zeros(CANDIDATES),
        np.zeros(CANDIDATES + 1),
    )


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _take(state: LiveState, r: int, x: Float, fir: Float) -> None:
    """Put HOP new samples into the rings, without DC, and at the low rate."""
    start = state.position[r]
    last_in, last_out = np.float32(state.dc[r, 0]), np.float32(state.dc[r, 1])
    for i in range(HOP):
        value = x[i] if TINY < abs(x[i]) <= 8.0 else np.float32(0.0)
        last_out = value - last_in + np.float32(0.996) * last_out
        if abs(last_out) < 1e-15:
            last_out = np.float32(0.0)
        last_in = value
        state.ring[r, (start + i) & (RING - 1)] = last_out
    state.dc[r, 0], state.dc[r, 1] = last_in, last_out
    for j in range(HOP // DECIMATION):
        newest = start + j * DECIMATION + DECIMATION - 1
        total = np.float32(0.0)
        for k in range(TAPS):
            total += fir[k] * state.ring[r, (newest - k) & (RING - 1)]
        state.low[r, (start // DECIMATION + j) & (LOW_RING - 1)] = total
    state.position[r] = start + HOP


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _clarity(ring: Float, end: int, window: int, lag: int) -> np.float32:
    """Normalised square difference of the last `window` samples and those `lag` before: 1 is periodic."""
    mask = ring.shape[0] - 1
    product = np.float32(0.0)
    energy = np.float32(1e-9)
    for i in range(end - window, end):
        a, b = ring[i & mask], ring[(i - lag) & mask]
        product += a * b
        energy += a * a + b * b
    return np.float32(2.0) * product / energy


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _find_candidates(state: LiveState, r: int, w: Tables) -> int:
    """Fill w.lag and w.value with the best peaks of the clarity; returns how many."""
    end = state.position[r] // DECIMATION
    ring = state.low[r]
    for lag in range(MIN_LAG, MAX_LAG + 1):
        w.clarity[lag] = _clarity(ring, end, max(SPAN - lag, MIN_WINDOW), lag)
    found = 0
    for lag in range(MIN_LAG + 1, MAX_LAG):
        c = w.clarity[lag]
        if c < 0.3 or c < w.clarity[lag - 1] or c <= w.clarity[lag + 1]:
            continue
        bend = w.clarity[lag - 1] - 2.0 * c + w.clarity[lag + 1]
        part = 0.5 * (w.clarity[lag - 1] - w.clarity[lag + 1]) / bend if bend < -1e-9 else 0.0
        peak = min(c - 0.25 * (w.clarity[lag - 1] - w.clarity[lag + 1]) * part, 1.0)
        if lag < LOW_RATE / HIGH_ONSET_HZ and peak < HIGH_CLARITY:
            continue
        value = peak - OCTAVE_COST * math.log2(lag / MIN_LAG)
        slot = found
        if found < CANDIDATES:
            found += 1
        else:
            slot = 0
            for i in range(1, CANDIDATES):
                if w.value[i] < w.value[slot]:
                    slot = i
            if w.value[slot] >= value:
                continue
        w.lag[slot], w.value[slot] = lag + part, value
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def _follow(state: LiveState, r: int, found: int, w: Tables) -> int:
    """One forward step of the Viterbi search; returns the best candidate, CANDIDATES for unvoiced."""
    last = CANDIDATES
    stay = state.score[r, last]
    unvoiced = stay
    for i in range(CANDIDATES):
        if state.lag[r, i] > 0.0:
            unvoiced = max(unvoiced, state.score[r, i] - SWITCH_COST)
    w.score[last] = FORGET * unvoiced + THRESHOLD - OCTAVE_COST * 2.5
    best, top = last, w.score[last]
    for j in range(CANDIDATES):
        w.score[j] = -1e9
        if j >= found:
            continue
        high = math.log2(LOW_RATE / w.lag[j] / HIGH_ONSET_HZ)
        past = stay - SWITCH_COST - HIGH_ONSET_COST * max(high, 0.0)
        for i in range(CANDIDATES):
            if state.lag[r, i] > 0.0:
                jump = abs(math.log2(w.lag[j] / state.lag[r, i]))
                past = max(past, state.score[r, i] - JUMP_COST * min(jump, 1.5))
        w.score[j] = FORGET * past + w.value[j]
        if w.score[j] > top:
            best, top = j, w.score[j]
    for j in range(CANDIDATES + 1):
        state.score[r, j] = w.score[j] - top
        if j < CANDIDATES:
            state.lag[r, j] = w.lag[j] if j < found else 0.0
    return best


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _refine(state: LiveState, r: int, lag: float) -> float:
    """The lag in samples at 48 kHz, to a fraction."""
    ring = state.ring[r]
    end = state.position[r]
    near = int(lag * DECIMATION + 0.5)
    window = max(2 * LOOKAHEAD - near, MIN_WINDOW * DECIMATION)
    reach = 3
    best, place = np.float32(-2.0), near
    for candidate in range(near - reach, near + reach + 1):
        c = _clarity(ring, end, window, candidate)
        if c > best:
            best, place = c, candidate
    left, right = _clarity(ring, end, window, place - 1), _clarity(ring, end, window, place + 1)
    bend = float(left - 2.0 * best + right)
    part = 0.5 * float(left - right) / bend if bend < -1e-9 else 0.0
    return place + min(0.5, max(-0.5, part))


@njit(nogil=True, cache=True, error_model="numpy")
def track_hop(state: LiveState, r: int, x: Float, w: Tables) -> tuple[float, float]:
    """Take HOP samples x of row r; return (f0 in Hz, 0 unvoiced; clarity 0..1) LOOKAHEAD before their end."""
    _take(state, r, x, w.fir)
    end = state.position[r]
    power = 0.0
    for i in range(end - 2 * LOOKAHEAD, end):
        power += state.ring[r, i & (RING - 1)] ** 2
    power /= 2 * LOOKAHEAD
    state.peak[r] = max(state.peak[r] * PEAK_FALL, power)
    found = _find_candidates(state, r, w) if power > max(SILENCE, QUIET * state.peak[r]) else 0
    best = _follow(state, r, found, w)
    if best == CANDIDATES:
        return 0.0, 0.0
    clarity = min(max(w.value[best] + OCTAVE_COST * math.log2(w.lag[best] / MIN_LAG), 0.0), 1.0)
    f0 = SAMPLE_RATE / _refine(state, r, w.lag[best])
    if f0 < F0_MIN_HZ * 0.97 or f0 > F0_MAX_HZ * 1.03:
        return 0.0, 0.0
    return f0, clarity


@njit(nogil=True, cache=True, error_model="numpy")
def _track_all(state: LiveState, x: Float, f0: Float, clarity: Float, w: Tables) -> None:
    for h in range(f0.shape[0]):
        f0[h], clarity[h] = track_hop(state, 0, x[h * HOP : (h + 1) * HOP], w)


def track(audio: Float) -> tuple[Float, Float]:
    """Pitch of a whole recording at 48 kHz through the live code.

    Returns:
        f0 in Hz (0 unvoiced) and clarity (0..1), each (hops,); value h belongs to the instant
        (h + 1) * HOP - LOOKAHEAD samples.
    """
    hops = len(audio) // HOP
    f0, clarity = np.zeros(hops, np.float32), np.zeros(hops, np.float32)
    _track_all(open_state(1), np.ascontiguousarray(audio, np.float32), f0, clarity, make_tables())
    return f0, clarity
