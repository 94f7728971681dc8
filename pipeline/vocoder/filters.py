"""From a wanted change of level by band to a filter of grains."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.timbre import BAND_CENTRES_HZ, BANDS, erb_rate
from pipeline.vocoder.grains import Work
from pipeline.vocoder.stream import BINS

Float = NDArray[np.float32]

LIMIT = 18.0 / 10 * math.log(10)  # no band moves by more than 18 dB

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


@njit(nogil=True, cache=True, error_model="numpy")
def at(values: Float, position: float) -> float:
    """Band values (BANDS,) at a fractional band."""
    position = min(max(position, 0.0), BANDS - 1.001)
    b = int(position)
    value: float = values[b] + (position - b) * (values[b + 1] - values[b])
    return value


@njit(nogil=True, cache=True, error_model="numpy")
def band_of(hz: float) -> float:
    """Fractional band of a frequency."""
    return (21.4 * math.log10(1.0 + 0.00437 * hz) - RATE_LOW) / RATE_STEP


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def shape_filter(source: Float, strength: float, gain: Float, w: Work) -> None:
    """Turn w.difference (log power by band) into `gain` (BINS,), keeping the loudness of `source` (BANDS,)."""
    mean = 0.0
    for b in range(BANDS):
        mean += w.difference[b] / BANDS
    before, after = 1e-12, 1e-12
    for b in range(BANDS):
        w.difference[b] = min(max(strength * (w.difference[b] - mean), -LIMIT), LIMIT)
        before += LOUDNESS[b] * math.exp(source[b])
        after += LOUDNESS[b] * math.exp(source[b] + w.difference[b])
    level = math.log(before / after)
    for b in range(BANDS):
        w.difference[b] = math.exp(0.5 * (w.difference[b] + level))
    for k in range(BINS):
        gain[k] = 0.0
    for b in range(BANDS):
        for k in range(BINS):
            gain[k] += w.difference[b] * w.gain_of_band[b, k]
    for k in range(BINS):
        gain[k] = max(gain[k], np.float32(0.0))
