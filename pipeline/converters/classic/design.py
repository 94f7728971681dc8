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

from pipeline.converters.classic.prior import CLASSES, Prior, posterior
from pipeline.converters.classic.rows import UNVOICED, VOICED, Rows
from pipeline.timbre import BAND_CENTRES_HZ, BANDS
from pipeline.vocoder.filters import at, band_of, shape_filter
from pipeline.vocoder.grains import Work
from pipeline.vocoder.stream import BINS

Float = NDArray[np.float32]

CLASS_CONFIDENCE = 15.0  # grains of a class heard before its own mean outweighs the average voice's
KEEP = 0.8  # how much of the singer's own deviation within a class stays
STRENGTH = 1.1  # spectra are moved a little past the target: averages flatten what makes voices differ
RARE = 1e-3  # classes less probable than this are left out
BREATH_LIMIT = (0.55, 2.0)  # bounds of the factor on noise power


class Scratch(NamedTuple):
    """Scratch space of one engine thread; holds nothing from one grain to the next."""

    posterior: Float  # (CLASSES,)


def make_scratch() -> Scratch:
    """Make it for one thread."""
    return Scratch(np.zeros(CLASSES, np.float32))


class Targets(NamedTuple):
    """What each row should sound like; the first axis is the row."""

    known: NDArray[np.bool_]  # (rows,) false: keep the singer's own timbre
    mean: Float  # (rows, 2, BANDS) mean log power of unvoiced and voiced sound
    classes: Float  # (rows, CLASSES, BANDS) deviation of each class from the voiced mean
    breath: Float  # (rows, BANDS) log of noise power / total power in voiced sound
    log_f0: NDArray[np.float64]  # (rows,) log2 of the median pitch in Hz
    top: NDArray[np.int64]  # (rows,) first band about which nothing is known


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def design_unvoiced(s: Rows, r: int, t: Targets, w: Work) -> None:
    """Compute the filter of a row's unvoiced grains."""
    for b in range(BANDS):
        w.source[b] = s.mean[r, UNVOICED, b]
        w.difference[b] = t.mean[r, UNVOICED, b] - w.source[b] if b < t.top[r] else w.difference[b - 1]
    shape_filter(w.source, STRENGTH, s.gain[r, UNVOICED], w)


@njit(nogil=True, cache=True, error_model="numpy")
def classify(s: Rows, r: int, prior: Prior, learn: bool, w: Work, c: Scratch) -> None:
    """Find what kind of sound the voiced grain in s.latest is, into c.posterior; w.power gets its deviation.

    With `learn`, the grain takes part in the singer's class means.
    """
    for b in range(BANDS):
        w.power[b] = s.latest[r, b] - s.mean[r, VOICED, b]
    posterior(w.power, prior, c.posterior)
    if learn:
        for k in range(CLASSES):
            p = c.posterior[k]
            if p >= RARE:
                s.class_weight[r, k] += p
                for b in range(BANDS):
                    s.class_sum[r, k, b] += p * w.power[b]


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def design_voiced(s: Rows, r: int, t: Targets, prior: Prior, size: float, w: Work, c: Scratch) -> None:
    """Compute the filter and the noise balance for the voiced grain that `classify` has seen last."""
    deviation, expected = w.power, w.weight
    for b in range(BANDS):
        expected[b] = 0.0
        w.difference[b] = t.mean[r, VOICED, b]
    for k in range(CLASSES):
        p = c.posterior[k]
        if p >= RARE:
            trust = p / (s.class_weight[r, k] + CLASS_CONFIDENCE)
            for b in range(BANDS):
                expected[b] += trust * (s.class_sum[r, k, b] + CLASS_CONFIDENCE * prior.deviation[k, b])
                w.difference[b] += p * t.classes[r, k, b]
    for b in range(BANDS):
        band = band_of(BAND_CENTRES_HZ[b] / size)
        rest = at(deviation, band) - at(expected, band)
        own = at(s.mean[r, VOICED], band) + at(expected, band)
        if b < t.top[r]:
            w.difference[b] += (KEEP - 1.0) * rest - own
        else:
            w.difference[b] = w.difference[b - 1]
        w.source[b] = own + rest
    shape_filter(w.source, STRENGTH, s.gain[r, VOICED], w)
    for b in range(BANDS):
        # u copies of the change add noise power (1 + u)^2 + u^2
        wanted = math.exp(t.breath[r, b] - at(s.breath[r], band_of(BAND_CENTRES_HZ[b] / size)))
        wanted = min(max(wanted, BREATH_LIMIT[0]), BREATH_LIMIT[1]) if b < t.top[r] else 1.0
        w.difference[b] = 0.5 * (math.sqrt(2.0 * wanted - 1.0) - 1.0)
    for k in range(BINS):
        s.noise[r, k] = at(w.difference, w.band_of_bin[k])
