"""The stream state of `classic`: preallocated arrays with a row per stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.converters.classic.prior import CLASSES, PRIOR
from pipeline.timbre import BANDS

HOP = 240  # samples that a stream advances by (5 ms)
RING = 16_384  # samples of input and output kept per row, a power of two (341 ms)
HALF = 720  # a grain reaches at most this far from its centre (15 ms) ...
SIDE = 672  # ... and takes in at most this much sound on either side: a period of 71 Hz
SPREAD = 240  # samples that a filter rings to either side; at the edges of long grains less is kept of it
DELAY = 2 * HALF  # a grain needs HALF samples after its centre, and reaches HALF back in the output
UNVOICED_STEP = 240  # samples between marks in unvoiced sound
PITCH_RING = 512  # hops of pitch kept per row, a power of two
FFT_SIZE = 2048
BINS = FFT_SIZE // 2 + 1
UNVOICED, VOICED, QUIET = 0, 1, 2

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


class Rows(NamedTuple):
    """Everything a stream remembers; the first axis of each array is the row."""

    position: Int  # (rows,) samples taken so far
    hops: Int  # (rows,) hops taken so far
    ring: Float  # (rows, RING) input, addressed by position
    out: Float  # (rows, RING) grains added up, addressed by position
    f0: Float  # (rows, PITCH_RING) pitch in Hz by hop, 0 unvoiced
    mark: Double  # (rows, 3) analysis marks: the one before, the current, the next
    voiced: Bool  # (rows, 2) whether the current and the next mark are voiced
    fresh: Bool  # (rows,) the current mark has not been measured yet
    synthesis: Double  # (rows,) where the next grain goes
    designed: Double  # (rows, 2) position at which each filter was last designed
    latest: Float  # (rows, BANDS) log power of the last grain measured
    latest_kind: Int  # (rows,) UNVOICED, VOICED, or QUIET: too quiet to learn from
    measured: Int  # (rows,) grains measured so far
    peak: Float  # (rows,) slowly falling maximum of grain log power
    log_f0: Double  # (rows, 2) sum of log2 f0 over voiced seconds, and those seconds
    mean: Float  # (rows, 2, BANDS) running mean log power of unvoiced and voiced grains
    seconds: Double  # (rows, 2) how long the running means have been measured
    class_sum: Float  # (rows, CLASSES, BANDS) weighted deviations of voiced grains from the mean, by class
    class_weight: Float  # (rows, CLASSES) grains in each class
    breath: Float  # (rows, BANDS) running log of noise power / total power of voiced grains
    octaves: Double  # (rows,) whole octaves added by automatic pitch
    gain: Float  # (rows, 2, BINS) filters in force for unvoiced and voiced grains
    noise: Float  # (rows, BINS) how much of a grain's change since the last one is added, in force
    ratio: Double  # (rows,) pitch ratio in force
    size: Double  # (rows,) factor by which voiced grains' frequencies move, in force
    wet: Float  # (rows,) dry/wet in force
    gate: Float  # (rows,) gate gain in force
    f0_in: Float  # (rows,) last tracked pitch in Hz
    f0_out: Float  # (rows,) the pitch sung for it


def open_rows(rows: int) -> Rows:
    """Allocate the state of `rows` streams, all reset."""
    real = np.float32
    state = Rows(
        position=np.zeros(rows, np.int64),
        hops=np.zeros(rows, np.int64),
        ring=np.zeros((rows, RING), real),
        out=np.zeros((rows, RING), real),
        f0=np.zeros((rows, PITCH_RING), real),
        mark=np.zeros((rows, 3)),
        voiced=np.zeros((rows, 2), np.bool_),
        fresh=np.zeros(rows, np.bool_),
        synthesis=np.zeros(rows),
        designed=np.zeros((rows, 2)),
        latest=np.zeros((rows, BANDS), real),
        latest_kind=np.zeros(rows, np.int64),
        measured=np.zeros(rows, np.int64),
        peak=np.zeros(rows, real),
        log_f0=np.zeros((rows, 2)),
        mean=np.zeros((rows, 2, BANDS), real),
        seconds=np.zeros((rows, 2)),
        class_sum=np.zeros((rows, CLASSES, BANDS), real),
        class_weight=np.zeros((rows, CLASSES), real),
        breath=np.zeros((rows, BANDS), real),
        octaves=np.zeros(rows),
        gain=np.zeros((rows, 2, BINS), real),
        noise=np.zeros((rows, BINS), real),
        ratio=np.zeros(rows),
        size=np.zeros(rows),
        wet=np.zeros(rows, real),
        gate=np.zeros(rows, real),
        f0_in=np.zeros(rows, real),
        f0_out=np.zeros(rows, real),
    )
    for row in range(rows):
        reset_row(state, row)
    return state


def reset_row(state: Rows, row: int) -> None:
    """Forget all that one row has heard."""
    for array in state:
        array[row] = 0
    for array in (state.gain, state.size, state.ratio, state.wet, state.gate):
        array[row] = 1
    state.mark[row] = (-2 * UNVOICED_STEP, -UNVOICED_STEP, 0)
    state.synthesis[row] = -UNVOICED_STEP
    state.designed[row] = -RING
    state.peak[row] = -30
    state.mean[row] = PRIOR.mean
    state.breath[row] = PRIOR.breath
