"""Grains: two windowed periods of sound around a mark, resized, filtered and laid down again elsewhere."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import fft
from pipeline.timbre import BAND_CENTRES_HZ, BANDS, SAMPLE_RATE
from pipeline.vocoder.stream import BINS, DELAY, FFT_SIZE, HALF, RING, SPREAD, Stream

Float = NDArray[np.float32]

TAPS = 16
PHASES = 512
NOTHING = 1e-9  # power that stands for no sound at all in a logarithm
WINDOW_STEPS = 1024


class Work(NamedTuple):
    """Tables and scratch space of one engine thread; holds nothing from one grain to the next."""

    plan: fft.Plan
    buffer: Float  # (FFT_SIZE,)
    segment: Float  # (FFT_SIZE,) input around a mark
    re: Float  # (BINS,) spectrum of the grain at hand
    im: Float  # (BINS,)
    re_change: Float  # (BINS,) spectrum of its difference from the grain one period earlier
    im_change: Float  # (BINS,)
    power: Float  # (BANDS,) log power of the grain
    change: Float  # (BANDS,) log power of the difference
    difference: Float  # (BANDS,) wanted change of log power
    source: Float  # (BANDS,)
    weight: Float  # (BANDS,)
    sinc: Float  # (PHASES + 1, TAPS) interpolation filters by fraction of a sample
    hann: Float  # (WINDOW_STEPS + 2,) from the middle of a Hann window to its edge
    band_of_bin: Float  # (BINS,) position among the bands, fractional, of each bin
    gain_of_band: Float  # (BANDS, BINS) what each band adds to a filter


def make_work() -> Work:
    """Make the tables and scratch space for one thread."""
    fraction = np.arange(PHASES + 1)[:, None] / PHASES
    tap = np.arange(TAPS)[None] - (TAPS // 2 - 1) - fraction
    kernel = np.sinc(tap) * np.cos(np.pi * tap / (TAPS + 1)) ** 2
    kernel /= kernel.sum(1, keepdims=True)
    frequency = np.arange(BINS) * SAMPLE_RATE / FFT_SIZE
    band_of_bin = np.interp(frequency, BAND_CENTRES_HZ, np.arange(BANDS))
    edge = np.minimum(np.arange(WINDOW_STEPS + 2) / WINDOW_STEPS, 1)
    real = np.float32
    return Work(
        plan=fft.plan(FFT_SIZE),
        buffer=np.zeros(FFT_SIZE, real),
        segment=np.zeros(FFT_SIZE, real),
        re=np.zeros(BINS, real),
        im=np.zeros(BINS, real),
        re_change=np.zeros(BINS, real),
        im_change=np.zeros(BINS, real),
        power=np.zeros(BANDS, real),
        change=np.zeros(BANDS, real),
        difference=np.zeros(BANDS, real),
        source=np.zeros(BANDS, real),
        weight=np.zeros(BANDS, real),
        sinc=kernel.astype(real),
        hann=(0.5 + 0.5 * np.cos(np.pi * edge)).astype(real),
        band_of_bin=band_of_bin.astype(real),
        gain_of_band=_gain_of_band(band_of_bin).astype(real),
    )


def _gain_of_band(band_of_bin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filters that are 1 in one band and fall to 0 in the next, (BANDS, BINS).

    Their impulse responses are cut to SPREAD samples to either side, so that filtered grains stay short.
    """
    sharp = np.maximum(1 - np.abs(band_of_bin - np.arange(BANDS)[:, None]), 0)
    response = np.fft.irfft(sharp, FFT_SIZE)
    away = np.minimum(np.arange(FFT_SIZE), FFT_SIZE - np.arange(FFT_SIZE))
    fade = np.where(away <= SPREAD, 0.5 + 0.5 * np.cos(np.pi * away / (SPREAD + 1)), 0)
    return np.fft.rfft(response * fade).real


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def transform_size(left: float, right: float, size: float) -> int:
    """The FFT size that holds a grain and the ringing of its filter."""
    return FFT_SIZE // 2 if (left + right) / size + 2 * SPREAD + 2 <= FFT_SIZE // 2 else FFT_SIZE


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def extract(
    v: Stream, r: int, mark: float, left: float, right: float, centre: float, size: float, n: int, w: Work
) -> None:
    """Window the input around `mark` into w.buffer[:n], its middle at index 0 (circular).

    The window falls from 1 at the mark to 0 at `left` samples before and `right` samples after it. `centre`
    is where the mark will be laid down: its fraction of a sample is kept. `size` > 1 moves all frequencies up.
    """
    buffer, segment, sinc, hann, ring = w.buffer, w.segment, w.sinc, w.hann, v.ring[r]
    for i in range(n):
        buffer[i] = 0.0
    # a straight copy first: the filters then run over neighbouring samples
    base = math.floor(mark - left) - TAPS
    for i in range(int(left + right) + 2 * TAPS + 2):
        segment[i] = ring[(base + i) & (RING - 1)]
    fraction = centre - math.floor(centre)
    for o in range(-int(left / size), int(right / size) + 2):
        d = (o - fraction) * size
        u = -d / left if d < 0.0 else d / right
        if u >= 1.0:
            continue
        x = u * WINDOW_STEPS
        j = int(x)
        window = hann[j] + np.float32(x - j) * (hann[j + 1] - hann[j])
        time = mark + d
        whole = math.floor(time)
        phase = int((time - whole) * PHASES + 0.5)
        if phase == 0:
            value = segment[whole - base]
        else:
            start = whole - base - (TAPS // 2 - 1)
            value = np.float32(0.0)
            for i in range(TAPS):
                value += sinc[phase, i] * segment[start + i]
        buffer[o if o >= 0 else n + o] = window * value


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def band_powers(re: Float, im: Float, n: int, size: float, length: float, bands: Float, w: Work) -> float:
    """Mean log power by band of a grain `length` samples long, back at the source's size, into `bands`.

    Returns the log of the grain's mean power.
    """
    for b in range(BANDS):
        bands[b] = 0.0
        w.weight[b] = 0.0
    stride = FFT_SIZE // n
    total = 0.0
    for k in range(1, n // 2):
        position = k * stride / size
        if position >= BINS - 2:
            break
        j = int(position)
        band = w.band_of_bin[j] + (position - j) * (w.band_of_bin[j + 1] - w.band_of_bin[j])
        power = re[k] * re[k] + im[k] * im[k]
        total += power
        b = min(int(band), BANDS - 2)
        part = band - b
        bands[b] += (1.0 - part) * power
        w.weight[b] += 1.0 - part
        bands[b + 1] += part * power
        w.weight[b + 1] += part
    scale = size * size / length
    for b in range(BANDS):
        if w.weight[b] < 0.1 and b > 0:  # the band is narrower than a bin
            bands[b] = bands[b - 1]
        else:
            bands[b] = math.log(bands[b] / max(w.weight[b], 1e-3) * scale + NOTHING)
    return math.log(total * scale / (n / 2) + NOTHING)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def add(v: Stream, r: int, n: int, centre: float, scale: float, taken: int, w: Work) -> None:
    """Add the grain whose spectrum is in w.re, w.im to the output at `centre`.

    `taken` is how many of the newest samples nothing has been given out for yet.
    """
    fft.irfft(w.re, w.im, n, w.buffer, w.plan)
    base = int(math.floor(centre))
    reach = min(n // 2, HALF - 1)
    played = v.position[r] - taken - DELAY  # what lies before has been given out
    for o in range(max(-reach, played - base), reach):
        v.out[r, (base + o) & (RING - 1)] += np.float32(scale) * w.buffer[o if o >= 0 else n + o]
