"""The ears of `native`: analysis marks ahead of the synthesis, one measured grain for each frame (10 ms)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import fft
from pipeline.content import HEARD
from pipeline.timbre import BANDS
from pipeline.vocoder import grains, marks
from pipeline.vocoder.grains import Work
from pipeline.vocoder.stream import BINS, HALF, SIDE, Stream

FRAME = 480  # samples between frames (10 ms)
MARKS = 64  # analysis marks kept per row, a power of two
PEAK_FALL = 0.0025  # of the running peak in a frame, nats of power
PEAK_LEAST = -9.0  # quieter sound than this is never taken for loud
MEMORY_FRAMES = 2000.0  # voiced frames after which the running average forgets half
PRIOR_FRAMES = 100.0  # what the average voice counts for in it
SMOOTHING = 0.7  # of the power of the singer's own noise, per frame

LOUD = 0.9  # a frame this far below the peak (over 10, nats: 39 dB) counts for nothing

Float = NDArray[np.float32]
Int = NDArray[np.int64]


def shape_of(power: Float) -> Float:
    """Log power (…, BANDS) less its mean over the bands that are heard."""
    return np.asarray(power - power[..., :HEARD].mean(-1, keepdims=True), np.float32)


def level_of(power: Float) -> Float:
    """(…, BANDS) log power -> (…,) log of the mean power over the bands that are heard."""
    top = power[..., :HEARD].max(-1)
    return np.asarray(top + np.log(np.mean(np.exp(power[..., :HEARD] - top[..., None]), -1)), np.float32)


def loudness(level: Float) -> Float:
    """What frames count for, 0 to 1, by their level against the peak, over 10."""
    return np.asarray(np.clip(1.0 + level / np.float32(LOUD), 0.0, 1.0), np.float32)


class Frames(NamedTuple):
    """What a stream remembers of its frames; the first axis is the row."""

    mark: NDArray[np.float64]  # (rows, MARKS) analysis marks, by number
    voiced: NDArray[np.bool_]  # (rows, MARKS)
    newest: Int  # (rows,) number of the newest mark that may be used; the one after it is known too
    peak: Float  # (rows,) slowly falling maximum of the level
    total: Float  # (rows, BANDS) sum of voiced shapes
    summed: Float  # (rows,) frames in it
    power: Float  # (rows, BANDS) log power of the frame at hand
    shape: Float  # (rows, BANDS) the same, less its mean
    own: Float  # (rows, BANDS) the shape that filters start from: noise is averaged over time
    level: Float  # (rows,) against the peak, over 10
    f0: Float  # (rows,) pitch of the frame at hand in Hz, 0 unvoiced
    average: Float  # (rows, BANDS) mean shape of what was voiced so far
    gain: Float  # (rows, 2, BINS) filter of the last frame and of the frame at hand


def open_frames(rows: int) -> Frames:
    """Allocate the state of `rows` streams, all reset."""
    real = np.float32
    frames = Frames(
        mark=np.zeros((rows, MARKS)),
        voiced=np.zeros((rows, MARKS), np.bool_),
        newest=np.zeros(rows, np.int64),
        peak=np.zeros(rows, real),
        total=np.zeros((rows, BANDS), real),
        summed=np.zeros(rows, real),
        power=np.zeros((rows, BANDS), real),
        shape=np.zeros((rows, BANDS), real),
        own=np.zeros((rows, BANDS), real),
        level=np.zeros(rows, real),
        f0=np.zeros(rows, real),
        average=np.zeros((rows, BANDS), real),
        gain=np.zeros((rows, 2, BINS), real),
    )
    for row in range(rows):
        reset_frames(frames, row)
    return frames


def reset_frames(frames: Frames, row: int) -> None:
    """Forget all that one row has heard."""
    for array in frames:
        array[row] = 0
    frames.gain[row] = 1
    frames.peak[row] = PEAK_LEAST
    frames.power[row] = -30


@njit(nogil=True, cache=True, error_model="numpy")
def find_marks(v: Stream, r: int, f: Frames) -> None:
    """Find the marks up to HALF before the newest sample."""
    while v.mark[r, 2] < v.position[r] - HALF:
        marks.advance(v, r)
        f.newest[r] += 1
        n = f.newest[r]
        f.mark[r, n & (MARKS - 1)] = v.mark[r, 1]
        f.mark[r, (n + 1) & (MARKS - 1)] = v.mark[r, 2]
        f.voiced[r, n & (MARKS - 1)] = v.voiced[r, 0]


@njit(nogil=True, cache=True, error_model="numpy")
def spectrum(v: Stream, r: int, f: Frames, n: int, centre: float, w: Work) -> tuple[int, float]:
    """Put the spectrum of the grain at mark number `n` into w.re, w.im, as if it were laid at `centre`.

    Returns the size of the transform and the grain's length in samples.
    """
    before = f.mark[r, (n - 1) & (MARKS - 1)]
    mark = f.mark[r, n & (MARKS - 1)]
    after = f.mark[r, (n + 1) & (MARKS - 1)]
    left, right = min(mark - before, float(SIDE)), min(after - mark, float(SIDE))
    size = grains.transform_size(left, right, 1.0)
    grains.extract(v, r, mark, left, right, centre, 1.0, size, w)
    fft.rfft(w.buffer, size, w.re, w.im, w.plan)
    return size, left + right


@njit(nogil=True, cache=True, error_model="numpy")
def measure(v: Stream, r: int, f: Frames, prior: Float, w: Work) -> None:
    """Measure the frame that ends with the newest sample: the grain at the last mark. `prior` is (BANDS,)."""
    n = f.newest[r]
    if n < 1:
        return
    voiced = f.voiced[r, n & (MARKS - 1)]
    mark = f.mark[r, n & (MARKS - 1)]
    f0 = marks.f0_at(v, r, mark) if voiced else 0.0
    size, length = spectrum(v, r, f, n, mark, w)
    grains.band_powers(w.re, w.im, size, 1.0, length, w.power, w)
    top, mean, total = np.float32(-99.0), np.float32(0.0), np.float32(0.0)
    for b in range(HEARD):
        top = max(top, w.power[b])
        mean += w.power[b] / np.float32(HEARD)
    for b in range(HEARD):
        total += math.exp(w.power[b] - top)
    level = top + math.log(total / HEARD)
    f.peak[r] = max(f.peak[r] - PEAK_FALL, level, PEAK_LEAST)
    f.level[r] = (level - f.peak[r]) / 10.0
    steady = f0 == 0.0 and f.f0[r] == 0.0
    own_mean = np.float32(0.0)
    for b in range(BANDS):
        f.shape[r, b] = w.power[b] - mean
        if steady:
            f.power[r, b] = math.log(
                np.float32(1.0 - SMOOTHING) * math.exp(f.power[r, b])
                + np.float32(SMOOTHING) * math.exp(w.power[b])
            )
        else:
            f.power[r, b] = w.power[b]
        if b < HEARD:
            own_mean += f.power[r, b] / np.float32(HEARD)
    for b in range(BANDS):
        f.own[r, b] = f.power[r, b] - own_mean
    f.f0[r] = f0
    if f0 > 0.0:
        if f.summed[r] >= MEMORY_FRAMES:
            f.summed[r] *= 0.5
            for b in range(BANDS):
                f.total[r, b] *= 0.5
        f.summed[r] += 1.0
        for b in range(BANDS):
            f.total[r, b] += f.shape[r, b]
    share = np.float32(1.0) / (f.summed[r] + np.float32(PRIOR_FRAMES))
    for b in range(BANDS):
        f.average[r, b] = (f.total[r, b] + np.float32(PRIOR_FRAMES) * prior[b]) * share
