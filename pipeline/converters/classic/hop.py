"""One hop of one stream: take samples in, lay grains down, give samples out."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import fft
from pipeline.converters.classic.design import Scratch, Targets, classify, design_unvoiced, design_voiced
from pipeline.converters.classic.prior import Prior
from pipeline.converters.classic.rows import QUIET, UNVOICED, VOICED, Rows
from pipeline.timbre import BANDS, SAMPLE_RATE
from pipeline.vocoder import grains, marks
from pipeline.vocoder.controls import follow_pitch, follow_size, give, octaves_apart, take_hop
from pipeline.vocoder.grains import Work
from pipeline.vocoder.stream import FFT_SIZE, HALF, HOP, SIDE, Stream

Float = NDArray[np.float32]

PEAK_FALL = 2.3  # the running peak falls this fast, nats of power a second (10 dB)
QUIET_BELOW = (12.0, 6.0)  # unvoiced and voiced grains so far below the peak teach nothing, nats
MEMORY = 20.0  # running means look back about this far, seconds
PRIOR_SECONDS = 1.0  # what the average voice counts for in them
SIZE_PER_OCTAVE = 0.15  # octaves that formants move per octave between the voices' pitches


@njit(nogil=True, cache=True, error_model="numpy")
def _learn(v: Stream, s: Rows, r: int, kind: int, seconds: float, log_power: float, w: Work) -> None:
    """Let the grain just measured (w.power, w.change) take part in the singer's running means."""
    for b in range(BANDS):
        s.latest[r, b] = w.power[b]
    s.measured[r] += 1
    s.peak[r] = max(s.peak[r] - PEAK_FALL * seconds, log_power)
    if log_power < s.peak[r] - QUIET_BELOW[kind]:
        s.latest_kind[r] = QUIET
        return
    s.latest_kind[r] = kind
    s.seconds[r, kind] = min(s.seconds[r, kind] + seconds, MEMORY)
    part = seconds / (s.seconds[r, kind] + PRIOR_SECONDS)
    for b in range(BANDS):
        s.mean[r, kind, b] += part * (w.power[b] - s.mean[r, kind, b])
    if kind == VOICED:
        v.log_f0[r, 0] += seconds * math.log2(max(marks.f0_at(v, r, v.mark[r, 1]), 40.0))
        v.log_f0[r, 1] += seconds
        for b in range(BANDS):
            # two independent noises differ by twice the power of one
            noise = min(w.change[b] - w.power[b] - math.log(2.0), 0.0)
            s.breath[r, b] += part * (noise - s.breath[r, b])


@njit(nogil=True, cache=True, error_model="numpy")
def _lay_grain(v: Stream, s: Rows, r: int, t: Targets, prior: Prior, w: Work, c: Scratch) -> None:
    """Place the next grain, and decide where the one after it goes."""
    centre = v.synthesis[r]
    side = float(SIDE)
    while (
        abs(v.mark[r, 2] - centre) <= abs(v.mark[r, 1] - centre)
        and v.mark[r, 2] + min(v.mark[r, 2] - v.mark[r, 1], side) <= v.position[r]
    ):
        marks.advance(v, r)
        s.fresh[r] = True
    before, mark, after = v.mark[r, 0], v.mark[r, 1], v.mark[r, 2]
    left, right = min(mark - before, side), min(after - mark, side)
    kind = VOICED if v.voiced[r, 0] else UNVOICED
    size, scale = 1.0, 1.0
    if kind == VOICED:
        size = v.size[r]
        scale = 1.0 / math.sqrt(v.ratio[r])  # closer grains add up to more power
    else:
        centre = mark
    n = grains.transform_size(left, right, size)
    if kind == VOICED and t.known[r]:
        grains.extract(v, r, before, left, right, centre, size, n, w)
        fft.rfft(w.buffer, n, w.re_change, w.im_change, w.plan)
    grains.extract(v, r, mark, left, right, centre, size, n, w)
    fft.rfft(w.buffer, n, w.re, w.im, w.plan)
    if kind == VOICED and t.known[r]:
        for k in range(n // 2 + 1):
            w.re_change[k] = w.re[k] - w.re_change[k]
            w.im_change[k] = w.im[k] - w.im_change[k]
    if s.fresh[r] and t.known[r]:
        s.fresh[r] = False
        power = grains.band_powers(w.re, w.im, n, size, left + right, w.power, w)
        if kind == VOICED:
            grains.band_powers(w.re_change, w.im_change, n, size, left + right, w.change, w)
        _learn(v, s, r, kind, (after - mark) / SAMPLE_RATE, power, w)
        if kind == VOICED:
            classify(s, r, prior, s.latest_kind[r] == VOICED, w, c)
        if mark - s.designed[r, kind] >= HOP:
            s.designed[r, kind] = mark
            if kind == VOICED:
                design_voiced(s, r, t, prior, size, w, c)
            else:
                design_unvoiced(s, r, t, w)
    if kind == VOICED and t.known[r]:
        stride = FFT_SIZE // n
        for k in range(n // 2 + 1):
            w.re[k] += s.noise[r, k * stride] * w.re_change[k]
            w.im[k] += s.noise[r, k * stride] * w.im_change[k]
    stride = FFT_SIZE // n
    for k in range(n // 2 + 1):
        w.re[k] *= s.gain[r, kind, k * stride]
        w.im[k] *= s.gain[r, kind, k * stride]
    grains.add(v, r, n, centre, scale, HOP, w)
    if kind == UNVOICED or v.ratio[r] == 1.0:
        v.synthesis[r] = after
    else:
        v.synthesis[r] = centre + (after - mark) / v.ratio[r]


@njit(nogil=True, cache=True, error_model="numpy")
def process_hop(
    v: Stream,
    s: Rows,
    r: int,
    t: Targets,
    prior: Prior,
    semitones: float,
    auto: bool,
    formant: float,
    wet: float,
    gate_db: float,
    f0: float,
    x: Float,
    y: Float,
    w: Work,
    c: Scratch,
) -> None:
    """Advance row r by HOP samples: x in, y out; `f0` in Hz is the pitch LOOKAHEAD before the end of x."""
    take_hop(v, r, x, gate_db, f0)
    apart = octaves_apart(v, r, t.known[r], t.log_f0[r])
    follow_pitch(v, r, apart, semitones, auto)
    follow_size(v, r, 2.0 ** (formant / 12.0 + SIZE_PER_OCTAVE * min(max(apart, -1.0), 1.0)))
    while v.synthesis[r] < v.position[r] - HALF:
        _lay_grain(v, s, r, t, prior, w, c)
    give(v, r, wet, y)
