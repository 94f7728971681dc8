"""The voice of `native`: the singer's own grains, reshaped to the envelope that the network asks for."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.converters.native.frames import FRAME, MARKS, Frames, spectrum
from pipeline.timbre import BAND_CENTRES_HZ, BANDS
from pipeline.vocoder import grains
from pipeline.vocoder.filters import at, band_of, shape_filter
from pipeline.vocoder.grains import Work
from pipeline.vocoder.stream import FFT_SIZE, HALF, Stream

Float = NDArray[np.float32]

LOUD, SILENT = (
    -0.5,
    -0.9,
)  # levels at which a frame is reshaped fully and not at all (22 and 39 dB below the peak)
BENT = 0.3  # neighbouring periods that differ by more than this are not one glide


@njit(nogil=True, cache=True, error_model="numpy")
def design(v: Stream, r: int, f: Frames, wanted: Float, top: int, w: Work) -> None:
    """Compute the filter from the frame at hand to the shape `wanted` (BANDS,), known below band `top`.

    Formants move by the factor in force; above `top` the sound stays the singer's, as loud as fits.
    """
    size = v.size[r]
    # what is hardly there is the room's, not the singer's: it stays as it is
    heard = min(max((f.level[r] - SILENT) / (LOUD - SILENT), 0.0), 1.0)
    for b in range(BANDS):
        if b < top:
            to = wanted[b] if size == 1.0 else at(wanted, band_of(BAND_CENTRES_HZ[b] / size))
            w.difference[b] = np.float32(heard) * (to - f.own[r, b])
        else:
            w.difference[b] = w.difference[b - 1]
    for k in range(f.gain.shape[2]):
        f.gain[r, 0, k] = f.gain[r, 1, k]
    shape_filter(f.power[r], 1.0, f.gain[r, 1], w)


@njit(nogil=True, cache=True, error_model="numpy")
def _nearest(r: int, f: Frames, place: float) -> int:
    """Number of the usable mark next to `place`; 0 while there is none."""
    n = f.newest[r]
    while n > max(f.newest[r] - MARKS // 2, 1):
        if abs(f.mark[r, n & (MARKS - 1)] - place) <= abs(f.mark[r, (n - 1) & (MARKS - 1)] - place):
            break
        n -= 1
    return int(n)


@njit(nogil=True, cache=True, error_model="numpy")
def _period(v: Stream, r: int, f: Frames, n: int, centre: float) -> float:
    """Length of the singer's period half a sung period after `centre`, near mark number `n`."""
    mark = f.mark[r, n & (MARKS - 1)]
    period = f.mark[r, (n + 1) & (MARKS - 1)] - mark
    last = mark - f.mark[r, (n - 1) & (MARKS - 1)]
    if not f.voiced[r, (n - 1) & (MARKS - 1)] or abs(period - last) > BENT * period:
        return float(period)
    slope = 2.0 * (period - last) / (period + last)
    ahead = centre + 0.5 * period / v.ratio[r] - (mark + 0.5 * period)
    return float(period + slope * min(max(ahead, -period), period))


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def lay(v: Stream, r: int, f: Frames, w: Work) -> None:
    """Lay down all grains up to HALF before the newest sample, FRAME samples after the last call."""
    end = v.position[r] - HALF
    while v.synthesis[r] < end:
        centre = v.synthesis[r]
        n = _nearest(r, f, centre)
        if n < 1:
            v.synthesis[r] = end
            return
        mark, after = f.mark[r, n & (MARKS - 1)], f.mark[r, (n + 1) & (MARKS - 1)]
        voiced = f.voiced[r, n & (MARKS - 1)]
        if not voiced:
            centre = mark
        size, _ = spectrum(v, r, f, n, centre, w)
        stride = FFT_SIZE // size
        late = min(max((centre - (end - FRAME)) / FRAME, 0.0), 1.0)
        old, new = np.float32(1.0 - late), np.float32(late)
        for k in range(size // 2 + 1):
            gain = old * f.gain[r, 0, k * stride] + new * f.gain[r, 1, k * stride]
            w.re[k] *= gain
            w.im[k] *= gain
        # closer grains add up to more power
        scale = 1.0 / math.sqrt(v.ratio[r]) if voiced else 1.0
        grains.add(v, r, size, centre, scale, FRAME, w)
        if not voiced or v.ratio[r] == 1.0:
            v.synthesis[r] = after
        else:
            v.synthesis[r] = centre + _period(v, r, f, n, centre) / v.ratio[r]
