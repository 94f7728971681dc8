"""How a moment of sound looks to the live pitch tracker: how periodic at each pitch, and its spectrum.

Four views of the newest sound at 12 kHz, each along a logarithmic axis of 24 steps an octave: the normalised
square difference (McLeod and Wyvill, "A smarter way to find pitch", ICMC 2005) of a short and of a long window
at the lag of each pitch, and the whitened spectra of a long and of a short window, from an octave below the
lowest pitch to beyond the fifth harmonic of the highest.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import fft

SAMPLE_RATE = 48_000
DECIMATION = 4
LOW_RATE = SAMPLE_RATE // DECIMATION
STEPS = 24  # bins an octave
PITCHES = 120
LOWEST_HZ = 38.0
SPECTRUM = 200  # bins of a spectrum, the first one an octave below LOWEST_HZ
VALUES = 2 * PITCHES + 2 * SPECTRUM  # of all views together
PITCH_HZ = LOWEST_HZ * 2 ** (np.arange(PITCHES) / STEPS)
SPECTRUM_HZ = LOWEST_HZ / 2 * 2 ** (np.arange(SPECTRUM) / STEPS)

MIN_LAG, MAX_LAG = 9, 326  # low-rate samples
SHORT, SHORTEST = 240, 150  # window plus lag of the short view, and the window that low voices keep
LONG = 480  # window of the long view
LONG_FFT, SHORT_FFT = 1024, 512
HISTORY = 1024  # low-rate samples that the views look at
WHITE = 18  # bins to either side over which a spectrum is whitened
FLOOR = 1e-6  # of the mean power in a bin, added to it
STEEP, CLIP = 0.4, 4.0  # scale and bounds of whitened log power

Float = NDArray[np.float32]
Int = NDArray[np.int64]


class Views(NamedTuple):
    """Constants and scratch space of one thread."""

    recent: Float  # (HISTORY,) the newest sound, oldest first
    energy: NDArray[np.float64]  # (HISTORY + 1,) of the samples before each of them
    clarity: Float  # (MAX_LAG + 2,)
    lag: Float  # (PITCHES,) of each pitch, low-rate samples
    first: Int  # (PITCHES,) lags that are nearer to this pitch than to others: first <= lag < last
    last: Int  # (PITCHES,)
    plan: fft.Plan
    window: Float  # (LONG_FFT + SHORT_FFT,) both windows
    buffer: Float  # (LONG_FFT,)
    re: Float  # (LONG_FFT / 2 + 1,)
    im: Float
    begin: Int  # (2, SPECTRUM) first bin of the transform that counts
    share: Float  # (2, SPECTRUM, widest) weights of the bins from there on
    log: Float  # (SPECTRUM,)


def make_views() -> Views:
    """Make the constants and scratch space for one thread."""
    lag = LOW_RATE / PITCH_HZ
    half = 2 ** (0.5 / STEPS)
    shares = [_shares(size) for size in (LONG_FFT, SHORT_FFT)]
    widest = max(share.shape[1] for _, share in shares)
    real = np.float32
    return Views(
        recent=np.zeros(HISTORY, real),
        energy=np.zeros(HISTORY + 1),
        clarity=np.zeros(MAX_LAG + 2, real),
        lag=lag.astype(real),
        first=np.maximum(np.ceil(lag / half), MIN_LAG).astype(np.int64),
        last=np.minimum(np.ceil(lag * half), MAX_LAG).astype(np.int64),
        plan=fft.plan(LONG_FFT),
        window=np.concatenate((_window(LONG_FFT, 256), _window(SHORT_FFT, 192))).astype(real),
        buffer=np.zeros(LONG_FFT, real),
        re=np.zeros(LONG_FFT // 2 + 1, real),
        im=np.zeros(LONG_FFT // 2 + 1, real),
        begin=np.stack([begin for begin, _ in shares]),
        share=np.stack([np.pad(s, ((0, 0), (0, widest - s.shape[1]))) for _, s in shares]).astype(real),
        log=np.zeros(SPECTRUM, real),
    )


def _window(size: int, fall: int) -> NDArray[np.float64]:
    """A window that falls over the newest `fall` samples, faster than it rises."""
    rise = size - fall
    up = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / rise)
    down = 0.5 + 0.5 * np.cos(np.pi * (np.arange(fall) + 0.5) / fall)
    return np.concatenate((up, down))


def _shares(size: int) -> tuple[Int, NDArray[np.float64]]:
    """Which bins of a transform make up each bin of the spectrum: triangles at least a bin wide."""
    place = (SPECTRUM_HZ * size / LOW_RATE)[:, None]
    reach = np.maximum(place * (2 ** (1 / STEPS) - 1), 1.0)
    share = np.maximum(1 - np.abs(np.arange(size // 2 + 1) - place) / reach, 0)
    share /= share.sum(1, keepdims=True)
    widest = int((share > 0).sum(1).max())
    begin = np.minimum(np.argmax(share > 0, 1), size // 2 + 1 - widest)
    return begin, np.stack([row[first : first + widest] for row, first in zip(share, begin, strict=True)])


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _find_clarity(v: Views, span: int, shortest: int) -> None:
    """Normalised square difference at each lag of a window of max(span - lag, shortest) newest samples."""
    for lag in range(MIN_LAG, MAX_LAG + 1):
        window = max(span - lag, shortest)
        here, before = v.recent[HISTORY - window :], v.recent[HISTORY - window - lag :]
        product = np.float32(0.0)
        for i in range(window):
            product += here[i] * before[i]
        energy = v.energy[HISTORY] - v.energy[HISTORY - window]
        energy += v.energy[HISTORY - lag] - v.energy[HISTORY - window - lag]
        v.clarity[lag] = np.float32(2.0 * product / (energy + 1e-9))


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _by_pitch(v: Views, out: Float) -> None:
    """The clarity of each pitch: the greatest of its lags, or between two lags where they are far apart."""
    for b in range(PITCHES):
        place = min(max(v.lag[b], np.float32(MIN_LAG + 1)), np.float32(MAX_LAG - 2))
        j = int(place)
        part = np.float32(place - j)
        before, at, after, later = v.clarity[j - 1], v.clarity[j], v.clarity[j + 1], v.clarity[j + 2]
        # Catmull and Rom
        slope, next_slope = 0.5 * (after - before), 0.5 * (later - at)
        a = 2.0 * at - 2.0 * after + slope + next_slope
        c = -3.0 * at + 3.0 * after - 2.0 * slope - next_slope
        value = np.float32(((a * part + c) * part + slope) * part + at)
        for lag in range(v.first[b], v.last[b]):
            value = max(value, v.clarity[lag])
        out[b] = value


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _spectrum(v: Views, which: int, size: int, out: Float) -> None:
    """The whitened log spectrum of the newest `size` samples."""
    start = which * LONG_FFT
    for i in range(size):
        v.buffer[i] = v.recent[HISTORY - size + i] * v.window[start + i]
    fft.rfft(v.buffer, size, v.re, v.im, v.plan)
    total = np.float32(0.0)
    for k in range(size // 2 + 1):
        v.re[k] = v.re[k] * v.re[k] + v.im[k] * v.im[k]
        total += v.re[k]
    floor = total / np.float32(size // 2) * np.float32(FLOOR) + np.float32(1e-12)
    for b in range(SPECTRUM):
        power = floor
        for k in range(v.share.shape[2]):
            power += v.share[which, b, k] * v.re[v.begin[which, b] + k]
        v.log[b] = math.log(power)
    total = np.float32(0.0)
    count = 0
    for b in range(-WHITE, SPECTRUM):
        if b + WHITE < SPECTRUM:
            total += v.log[b + WHITE]
            count += 1
        if b - WHITE > 0:
            total -= v.log[b - WHITE - 1]
            count -= 1
        if b >= 0:
            value = np.float32(STEEP) * (v.log[b] - total / np.float32(count))
            out[b] = min(max(value, np.float32(-CLIP)), np.float32(CLIP))


@njit(nogil=True, cache=True, error_model="numpy")
def look(v: Views, out: Float) -> None:
    """Look at v.recent; write (VALUES,): short and long clarity, long and short spectrum."""
    for i in range(HISTORY):
        v.energy[i + 1] = v.energy[i] + v.recent[i] * v.recent[i]
    _find_clarity(v, SHORT, SHORTEST)
    _by_pitch(v, out[:PITCHES])
    _find_clarity(v, 0, LONG)
    _by_pitch(v, out[PITCHES : 2 * PITCHES])
    _spectrum(v, 0, LONG_FFT, out[2 * PITCHES : 2 * PITCHES + SPECTRUM])
    _spectrum(v, 1, SHORT_FFT, out[2 * PITCHES + SPECTRUM :])
