"""The live pitch tracker: causal, 10 ms behind the newest sample, a row per stream.

Every 10 ms the newest sound is looked at in four ways (`views`), a small network says how likely each pitch is
(`network`), and a search that runs forward only picks one (`search`); nothing is revised later. Every 5 ms the
period is then measured at 48 kHz.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.pitch.network import Network, likely, load_network, open_past
from pipeline.pitch.search import centre, follow, refine
from pipeline.pitch.views import (
    DECIMATION,
    HISTORY,
    LOWEST_HZ,
    PITCHES,
    SAMPLE_RATE,
    STEPS,
    VALUES,
    Views,
    look,
    make_views,
)

HOP = 240  # samples between answers (5 ms)
LOOK = 2  # hops between looks of the network
LOOKAHEAD = 480  # an answer belongs to this many samples before the newest (10 ms)
F0_MIN_HZ, F0_MAX_HZ = 40.0, 1100.0

TAPS = 32
RING = 4096  # samples at 48 kHz per row
LOW_RING = 2048
RECENT = 2560  # samples at 48 kHz in which a period is measured
SHORTEST = 600  # samples that are compared at least

TINY = 1e-20  # smaller samples are taken for zero, before they can become denormal
SILENCE = 1e-7  # mean power below which nothing is voiced (-70 dBFS)
PEAK_FALL = 0.9977  # of the running peak in a hop (2 dB a second)
CLEAR, BREATHY = 0.5, 0.25  # how alike periods must be once before a voice is believed in, at first and at last
CLEAR_FALL = 0.03  # by which less is asked for at each hop
QUIETEST = -2.0  # least level that the network is told, log power over 10

Float = NDArray[np.float32]
Double = NDArray[np.float64]


class LiveState(NamedTuple):
    """Stream state; the first axis of each array is the row."""

    position: NDArray[np.int64]  # (rows,) samples taken
    ring: Float  # (rows, RING) input at 48 kHz without its DC
    low: Float  # (rows, LOW_RING) input at 12 kHz
    dc: Float  # (rows, 2) last input and output of the DC blocker
    peak: Double  # (rows,) slowly falling maximum of the mean power
    past: Float  # (rows, …) what the network remembers
    score: Float  # (rows, PITCHES + 1) of the paths
    lag: Double  # (rows,) the period in samples at the last hop, 0 unvoiced
    doubt: Double  # (rows,) how alike periods must be yet, 0 once a voice is believed in


class Tables(NamedTuple):
    """Constants and scratch space of one thread."""

    fir: Float  # (TAPS,)
    views: Views
    network: Network
    seen: Float  # (VALUES + 1,) the views and the level
    likely: Float  # (PITCHES + 1,)
    before: Float  # (PITCHES + 1,)
    recent: Float  # (RECENT,)
    energy: Double  # (RECENT + 1,)


def open_state(rows: int) -> LiveState:
    """Allocate the state of `rows` streams, all reset."""
    return LiveState(
        np.zeros(rows, np.int64),
        np.zeros((rows, RING), np.float32),
        np.zeros((rows, LOW_RING), np.float32),
        np.zeros((rows, 2), np.float32),
        np.zeros(rows),
        open_past(rows),
        np.zeros((rows, PITCHES + 1), np.float32),
        np.zeros(rows),
        np.full(rows, CLEAR),
    )


def reset_row(state: LiveState, row: int) -> None:
    """Forget all that one row has heard."""
    for array in state:
        array[row] = 0
    state.doubt[row] = CLEAR


def make_tables(network: Network | None = None) -> Tables:
    """Make the constants and scratch space for one thread; the shipped network without another."""
    n = np.arange(TAPS) - (TAPS - 1) / 2
    fir = np.sinc(0.8 * n / DECIMATION) * np.hamming(TAPS)
    return Tables(
        (fir / fir.sum()).astype(np.float32),
        make_views(),
        network or load_network(),
        np.zeros(VALUES + 1, np.float32),
        np.zeros(PITCHES + 1, np.float32),
        np.zeros(PITCHES + 1, np.float32),
        np.zeros(RECENT, np.float32),
        np.zeros(RECENT + 1),
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


@njit(nogil=True, cache=True, error_model="numpy")
def _see(state: LiveState, r: int, power: float, w: Tables) -> None:
    """Look at the newest sound, whose mean power is given; write w.seen."""
    low = state.position[r] // DECIMATION - HISTORY
    for i in range(HISTORY):
        w.views.recent[i] = state.low[r, (low + i) & (LOW_RING - 1)]
    look(w.views, w.seen)
    w.seen[VALUES] = max(0.1 * math.log((power + 1e-12) / (state.peak[r] + 1e-12)), QUIETEST)


@njit(nogil=True, cache=True, error_model="numpy")
def _hear(state: LiveState, r: int, x: Float, w: Tables) -> float:
    """Take HOP samples; returns the mean power of the newest ones."""
    _take(state, r, x, w.fir)
    end = state.position[r]
    power = 0.0
    for i in range(end - 2 * LOOKAHEAD, end):
        power += state.ring[r, i & (RING - 1)] ** 2
    power /= 2 * LOOKAHEAD
    state.peak[r] = max(state.peak[r] * PEAK_FALL, power)
    return power


@njit(nogil=True, cache=True, error_model="numpy")
def _measure(state: LiveState, r: int, lag: float, w: Tables) -> tuple[float, float]:
    """The period near `lag` samples, and how periodic the sound is."""
    start = state.position[r] - RECENT
    for i in range(RECENT):
        value = state.ring[r, (start + i) & (RING - 1)]
        w.recent[i] = value
        w.energy[i + 1] = w.energy[i] + value * value
    return refine(w.recent, w.energy, lag, SHORTEST)


@njit(nogil=True, cache=True, error_model="numpy")
def track_hop(state: LiveState, r: int, x: Float, w: Tables) -> tuple[float, float]:
    """Take HOP samples x of row r; return (f0 in Hz, 0 unvoiced; clarity 0..1) LOOKAHEAD before their end."""
    power = _hear(state, r, x, w)
    hop = state.position[r] // HOP
    if hop % LOOK == 0:
        _see(state, r, power, w)
        likely(w.network, state.past[r], hop // LOOK, w.seen, w.seen[VALUES], w.likely)
        best = follow(state.score[r], w.likely, w.before)
        state.lag[r] = 0.0
        if best < PITCHES:
            state.lag[r] = SAMPLE_RATE / (LOWEST_HZ * 2.0 ** (centre(w.likely, best) / STEPS))
    if state.lag[r] == 0.0 or power < SILENCE:
        state.doubt[r] = CLEAR
        return 0.0, 0.0
    period, clarity = _measure(state, r, state.lag[r], w)
    state.lag[r] = min(max(period, SAMPLE_RATE / F0_MAX_HZ), SAMPLE_RATE / F0_MIN_HZ)
    if clarity < state.doubt[r]:  # of noise, and of half a first period, the network makes pitches too
        state.doubt[r] = max(state.doubt[r] - CLEAR_FALL, BREATHY)
        return 0.0, 0.0
    state.doubt[r] = 0.0
    return SAMPLE_RATE / state.lag[r], clarity


@njit(nogil=True, cache=True, error_model="numpy")
def _track_all(state: LiveState, x: Float, f0: Float, clarity: Float, w: Tables) -> None:
    for h in range(f0.shape[0]):
        f0[h], clarity[h] = track_hop(state, 0, x[h * HOP : (h + 1) * HOP], w)


def track(audio: Float, network: Network | None = None) -> tuple[Float, Float]:
    """Pitch of a whole recording at 48 kHz through the live code.

    Returns:
        f0 in Hz (0 unvoiced) and clarity (0..1), each (hops,); value h belongs to the instant
        (h + 1) * HOP - LOOKAHEAD samples.
    """
    hops = len(audio) // HOP
    f0, clarity = np.zeros(hops, np.float32), np.zeros(hops, np.float32)
    _track_all(open_state(1), np.ascontiguousarray(audio, np.float32), f0, clarity, make_tables(network))
    return f0, clarity


@njit(nogil=True, cache=True, error_model="numpy")
def _see_all(state: LiveState, x: Float, seen: Float, w: Tables) -> None:
    for h in range(seen.shape[0]):
        _see(state, 0, _hear(state, 0, x[h * HOP : (h + 1) * HOP], w), w)
        seen[h] = w.seen


def see(audio: Float, network: Network) -> Float:
    """What the network is told of a recording at 48 kHz, if it looks every hop: (hops, VALUES + 1)."""
    seen = np.zeros((len(audio) // HOP, VALUES + 1), np.float32)
    _see_all(open_state(1), np.ascontiguousarray(audio, np.float32), seen, make_tables(network))
    return seen
