"""Filters that move the singer's spectrum to the target's.

Unvoiced sound is filtered by the difference of the two average spectra. Voiced sound is filtered by the
difference of what the two voices are expected to do in the *same kind of sound*: its class is found softly
in a Gaussian mixture (as in Stylianou et al., "Continuous probabilistic transform for voice conversion",
IEEE Trans. Speech Audio Proc. 6, 1998, with means only), each voice's mean for a class rests on what has been
heard of it so far, and part of what remains of the singer in the grain is taken away.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import fft
from pipeline.converters.classic.grains import Work
from pipeline.converters.classic.prior import CLASSES, Prior, posterior
from pipeline.converters.classic.rows import BINS, FFT_SIZE, SPREAD, UNVOICED, VOICED, Rows
from pipeline.timbre import BAND_CENTRES_HZ, BANDS, erb_rate

Float = NDArray[np.float32]

CLASS_CONFIDENCE = 15.0  # grains of a class heard before its own mean outweighs the average voice's
KEEP = 0.8  # how much of the singer's own deviation within a class stays
STRENGTH = 1.1  # spectra are moved a little past the target: averages flatten what makes voices differ
RARE = 1e-3  # classes less probable than this are left out
LIMIT = 18.0 / 10 * math.log(10)  # no band moves by more than 18 dB
BREATH_LIMIT = (0.55, 2.0)  # bounds of the factor on noise power

RATE_LOW = erb_rate(float(BAND_CENTRES_HZ[0]))
RATE_STEP = (erb_rate(float(BAND_CENTRES_HZ[-1])) - RATE_LOW) / (BANDS - 1)


def _loudness_weights() -> Float:
    """Width of each band times the A-weighting (IEC 61672) at its centre, for comparing levels."""
    f = BAND_CENTRES_HZ.astype(float)
    a = (
        12194**2
        * f**4
        / ((f**2 + 20.6**2) * np.sqrt((f**2 + 107.7**2) * (f**2 + 737.9**2)) * (f**2 + 12194**2))
    )
    return np.asarray(np.gradient(f) * a**2, np.float32)


LOUDNESS = _loudness_weights()


class Targets(NamedTuple):
    """What each row should sound like; the first axis is the row."""

    known: NDArray[np.bool_]  # (rows,) false: keep the singer's own timbre
    mean: Float  # (rows, 2, BANDS) mean log power of unvoiced and voiced sound
    classes: Float  # (rows, CLASSES, BANDS) deviation of each class from the voiced mean
    breath: Float  # (rows, BANDS) log of noise power / total power in voiced sound
    log_f0: NDArray[np.float64]  # (rows,) log2 of the median pitch in Hz
    top: NDArray[np.int64]  # (rows,) first band about which nothing is known


@njit(nogil=True, cache=True, error_model="numpy")
def _at(values: Float, position: float) -> float:
    """Band values (BANDS,) at a fractional band."""
    position = min(max(position, 0.0), BANDS - 1.001)
    b = int(position)
    value: float = values[b] + (position - b) * (values[b + 1] - values[b])
    return value


@njit(nogil=True, cache=True, error_model="numpy")
def _band_of(hz: float) -> float:
    """Fractional band of a frequency."""
    return (21.4 * math.log10(1.0 + 0.00437 * hz) - RATE_LOW) / RATE_STEP


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _level_and_smooth(gain: Float, w: Work) -> None:
    """Turn w.difference (log power by band) into `gain` (BINS,), keeping loudness against w.source.

    The impulse response is cut to SPREAD samples to either side, so that grains stay short.
    """
    mean = 0.0
    for b in range(BANDS):
        mean += w.difference[b] / BANDS
    before, after = 1e-12, 1e-12
    for b in range(BANDS):
        w.difference[b] = min(max(STRENGTH * (w.difference[b] - mean), -LIMIT), LIMIT)
        before += LOUDNESS[b] * math.exp(w.source[b])
        after += LOUDNESS[b] * math.exp(w.source[b] + w.difference[b])
    level = math.log(before / after)
    for b in range(BANDS):
        w.difference[b] = math.exp(0.5 * (w.difference[b] + level))
    for k in range(BINS):
        w.re_filter[k] = _at(w.difference, w.band_of_bin[k])
        w.im_filter[k] = 0.0
    fft.irfft(w.re_filter, w.im_filter, FFT_SIZE, w.buffer, w.plan)
    for i in range(1, FFT_SIZE // 2 + 1):
        fade = 0.5 + 0.5 * math.cos(math.pi * i / (SPREAD + 1)) if i <= SPREAD else 0.0
        w.buffer[i] *= fade
        if i < FFT_SIZE // 2:
            w.buffer[FFT_SIZE - i] *= fade
    fft.rfft(w.buffer, FFT_SIZE, w.re_filter, w.im_filter, w.plan)
    for k in range(BINS):
        gain[k] = max(w.re_filter[k], 0.0)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def design_unvoiced(s: Rows, r: int, t: Targets, w: Work) -> None:
    """Compute the filter of a row's unvoiced grains."""
    for b in range(BANDS):
        w.source[b] = s.mean[r, UNVOICED, b]
        w.difference[b] = t.mean[r, UNVOICED, b] - w.source[b] if b < t.top[r] else w.difference[b - 1]
    _level_and_smooth(s.gain[r, UNVOICED], w)


@njit(nogil=True, cache=True, error_model="numpy")
def classify(s: Rows, r: int, prior: Prior, learn: bool, w: Work) -> None:
    """Find what kind of sound the voiced grain in s.latest is, into w.posterior; w.power gets its deviation.

    With `learn`, the grain takes part in the singer's class means.
    """
    for b in range(BANDS):
        w.power[b] = s.latest[r, b] - s.mean[r, VOICED, b]
    posterior(w.power, prior, w.posterior)
    if learn:
        for k in range(CLASSES):
            p = w.posterior[k]
            if p >= RARE:
                s.class_weight[r, k] += p
                for b in range(BANDS):
                    s.class_sum[r, k, b] += p * w.power[b]


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def design_voiced(s: Rows, r: int, t: Targets, prior: Prior, size: float, w: Work) -> None:
    """Compute the filter and the noise balance for the voiced grain that `classify` has seen last."""
    deviation, expected = w.power, w.weight
    for b in range(BANDS):
        expected[b] = 0.0
        w.difference[b] = t.mean[r, VOICED, b]
    for k in range(CLASSES):
        p = w.posterior[k]
        if p >= RARE:
            trust = p / (s.class_weight[r, k] + CLASS_CONFIDENCE)
            for b in range(BANDS):
                expected[b] += trust * (s.class_sum[r, k, b] + CLASS_CONFIDENCE * prior.deviation[k, b])
                w.difference[b] += p * t.classes[r, k, b]
    for b in range(BANDS):
        band = _band_of(BAND_CENTRES_HZ[b] / size)
        rest = _at(deviation, band) - _at(expected, band)
        own = _at(s.mean[r, VOICED], band) + _at(expected, band)
        if b < t.top[r]:
            w.difference[b] += (KEEP - 1.0) * rest - own
        else:
            w.difference[b] = w.difference[b - 1]
        w.source[b] = own + rest
    _level_and_smooth(s.gain[r, VOICED], w)
    for b in range(BANDS):
        # u copies of the change add noise power (1 + u)^2 + u^2
        wanted = math.exp(t.breath[r, b] - _at(s.breath[r], _band_of(BAND_CENTRES_HZ[b] / size)))
        wanted = min(max(wanted, BREATH_LIMIT[0]), BREATH_LIMIT[1]) if b < t.top[r] else 1.0
        w.difference[b] = 0.5 * (math.sqrt(2.0 * wanted - 1.0) - 1.0)
    for k in range(BINS):
        s.noise[r, k] = _at(w.difference, w.band_of_bin[k])
