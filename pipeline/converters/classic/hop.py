"""One hop of one stream: take samples in, lay grains down, give samples out."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import fft
from pipeline.converters.classic import grains, marks
from pipeline.converters.classic.design import Targets, classify, design_unvoiced, design_voiced
from pipeline.converters.classic.grains import Work
from pipeline.converters.classic.prior import Prior
from pipeline.converters.classic.rows import (
    DELAY,
    FFT_SIZE,
    HALF,
    HOP,
    PITCH_RING,
    QUIET,
    RING,
    SIDE,
    UNVOICED,
    VOICED,
    Rows,
)
from pipeline.pitch import live
from pipeline.timbre import BANDS, SAMPLE_RATE

Float = NDArray[np.float32]

PEAK_FALL = 2.3  # the running peak falls this fast, nats of power a second (10 dB)
QUIET_BELOW = (12.0, 6.0)  # unvoiced and voiced grains so far below the peak teach nothing, nats
MEMORY = 20.0  # running means look back about this far, seconds
PRIOR_SECONDS = 1.0  # what the average voice counts for in them
OCTAVE_MARGIN = 0.65  # automatic pitch changes octave when it is off by more than this
GATE_CLOSE, GATE_OPEN = 0.08, 0.5  # part of the way that the gate moves in a hop
SIZE_PER_OCTAVE = 0.15  # octaves that formants move per octave between the voices' pitches


@njit(nogil=True, cache=True, error_model="numpy")
def _learn(s: Rows, r: int, kind: int, seconds: float, log_power: float, w: Work) -> None:
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
        s.log_f0[r, 0] += seconds * math.log2(max(marks.f0_at(s, r, s.mark[r, 1]), 40.0))
        s.log_f0[r, 1] += seconds
        for b in range(BANDS):
            # two independent noises differ by twice the power of one
            noise = min(w.change[b] - w.power[b] - math.log(2.0), 0.0)
            s.breath[r, b] += part * (noise - s.breath[r, b])


@njit(nogil=True, cache=True, error_model="numpy")
def _lay_grain(s: Rows, r: int, t: Targets, prior: Prior, w: Work) -> None:
    """Place the next grain, and decide where the one after it goes."""
    centre = s.synthesis[r]
    side = float(SIDE)
    while (
        abs(s.mark[r, 2] - centre) <= abs(s.mark[r, 1] - centre)
        and s.mark[r, 2] + min(s.mark[r, 2] - s.mark[r, 1], side) <= s.position[r]
    ):
        marks.advance(s, r)
    before, mark, after = s.mark[r, 0], s.mark[r, 1], s.mark[r, 2]
    left, right = min(mark - before, side), min(after - mark, side)
    kind = VOICED if s.voiced[r, 0] else UNVOICED
    size, scale = 1.0, 1.0
    if kind == VOICED:
        size = s.size[r]
        scale = 1.0 / math.sqrt(s.ratio[r])  # closer grains add up to more power
    else:
        centre = mark
    n = grains.transform_size(left, right, size)
    if kind == VOICED and t.known[r]:
        grains.extract(s, r, before, left, right, centre, size, n, w)
        fft.rfft(w.buffer, n, w.re_change, w.im_change, w.plan)
    grains.extract(s, r, mark, left, right, centre, size, n, w)
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
        _learn(s, r, kind, (after - mark) / SAMPLE_RATE, power, w)
        if kind == VOICED:
            classify(s, r, prior, s.latest_kind[r] == VOICED, w)
        if mark - s.designed[r, kind] >= HOP:
            s.designed[r, kind] = mark
            if kind == VOICED:
                design_voiced(s, r, t, prior, size, w)
            else:
                design_unvoiced(s, r, t, w)
    if kind == VOICED and t.known[r]:
        stride = FFT_SIZE // n
        for k in range(n // 2 + 1):
            w.re[k] += s.noise[r, k * stride] * w.re_change[k]
            w.im[k] += s.noise[r, k * stride] * w.im_change[k]
    grains.filter_and_add(s, r, n, centre, s.gain[r, kind], scale, w)
    if kind == UNVOICED or s.ratio[r] == 1.0:
        s.synthesis[r] = after
    else:
        s.synthesis[r] = centre + (after - mark) / s.ratio[r]


@njit(nogil=True, cache=True, error_model="numpy")
def _follow_controls(s: Rows, r: int, t: Targets, semitones: float, auto: bool, formant: float) -> None:
    """Move pitch ratio and size to what the controls and the two voices ask for."""
    apart = t.log_f0[r] - s.log_f0[r, 0] / s.log_f0[r, 1] if t.known[r] and s.log_f0[r, 1] > 0.3 else 0.0
    if not auto:
        s.octaves[r] = 0.0
    elif abs(apart - s.octaves[r]) > OCTAVE_MARGIN:
        s.octaves[r] = math.floor(apart + 0.5)
    s.ratio[r] = 2.0 ** (semitones / 12.0 + s.octaves[r])
    wanted = 2.0 ** (formant / 12.0 + SIZE_PER_OCTAVE * min(max(apart, -1.0), 1.0))
    if abs(wanted - s.size[r]) > 0.002:
        s.size[r] += 0.2 * (wanted - s.size[r])
    elif wanted == 1.0:
        s.size[r] = 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def _gate(s: Rows, r: int, x: Float, threshold_db: float) -> None:
    """Write HOP samples to the ring, fading to silence while they are quieter than the threshold."""
    start = s.position[r]
    power = np.float32(0.0)
    for i in range(HOP):
        # NaN, infinity and denormals never enter the state
        value = x[i] if live.TINY < abs(x[i]) <= 8.0 else np.float32(0.0)
        power += value * value
        s.ring[r, (start + i) & (RING - 1)] = value
    open_ = threshold_db <= -100.0 or power / HOP > 10.0 ** (threshold_db / 10.0)
    old = s.gate[r]
    target = np.float32(1.0) if open_ else np.float32(0.0)
    new = old + np.float32(GATE_OPEN if open_ else GATE_CLOSE) * (target - old)
    if abs(new - target) < 1e-3:
        new = target
    s.gate[r] = new
    if old < 1.0 or new < 1.0:
        for i in range(HOP):
            s.ring[r, (start + i) & (RING - 1)] *= old + (new - old) * np.float32((i + 1) / HOP)


@njit(nogil=True, cache=True, error_model="numpy")
def process_hop(
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
) -> None:
    """Advance row r by HOP samples: x in, y out; `f0` in Hz is the pitch LOOKAHEAD before the end of x."""
    start = s.position[r]
    _gate(s, r, x, gate_db)
    s.f0[r, s.hops[r] & (PITCH_RING - 1)] = f0
    s.position[r] = start + HOP
    s.hops[r] += 1
    _follow_controls(s, r, t, semitones, auto, formant)
    while s.synthesis[r] < s.position[r] - HALF:
        _lay_grain(s, r, t, prior, w)
    s.f0_in[r] = f0
    s.f0_out[r] = f0 * s.ratio[r]
    old = s.wet[r]
    s.wet[r] = wet
    first = start - DELAY
    for i in range(HOP):
        j = (first + i) & (RING - 1)
        dry = s.ring[r, j] if first + i >= 0 else np.float32(0.0)
        mix = old + (np.float32(wet) - old) * np.float32((i + 1) / HOP)
        y[i] = dry + mix * (s.out[r, j] - dry)
        s.out[r, j] = 0.0
