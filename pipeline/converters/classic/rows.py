"""What `classic` learns of a singer: preallocated arrays with a row per stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.converters.classic.prior import CLASSES, PRIOR
from pipeline.timbre import BANDS
from pipeline.vocoder.stream import BINS, RING

UNVOICED, VOICED, QUIET = 0, 1, 2

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


class Rows(NamedTuple):
    """Everything that is learnt of a stream; the first axis of each array is the row."""

    fresh: Bool  # (rows,) the current mark has not been measured yet
    designed: Double  # (rows, 2) position at which each filter was last designed
    latest: Float  # (rows, BANDS) log power of the last grain measured
    latest_kind: Int  # (rows,) UNVOICED, VOICED, or QUIET: too quiet to learn from
    measured: Int  # (rows,) grains measured so far
    peak: Float  # (rows,) slowly falling maximum of grain log power
    mean: Float  # (rows, 2, BANDS) running mean log power of unvoiced and voiced grains
    seconds: Double  # (rows, 2) how long the running means have been measured
    class_sum: Float  # (rows, CLASSES, BANDS) weighted deviations of voiced grains from the mean, by class
    class_weight: Float  # (rows, CLASSES) grains in each class
    breath: Float  # (rows, BANDS) running log of noise power / total power of voiced grains
    gain: Float  # (rows, 2, BINS) filters in force for unvoiced and voiced grains
    noise: Float  # (rows, BINS) how much of a grain's change since the last one is added, in force


def open_rows(rows: int) -> Rows:
    """Allocate the state of `rows` streams, all reset."""
    real = np.float32
    state = Rows(
        fresh=np.zeros(rows, np.bool_),
        designed=np.zeros((rows, 2)),
        latest=np.zeros((rows, BANDS), real),
        latest_kind=np.zeros(rows, np.int64),
        measured=np.zeros(rows, np.int64),
        peak=np.zeros(rows, real),
        mean=np.zeros((rows, 2, BANDS), real),
        seconds=np.zeros((rows, 2)),
        class_sum=np.zeros((rows, CLASSES, BANDS), real),
        class_weight=np.zeros((rows, CLASSES), real),
        breath=np.zeros((rows, BANDS), real),
        gain=np.zeros((rows, 2, BINS), real),
        noise=np.zeros((rows, BINS), real),
    )
    for row in range(rows):
        reset_row(state, row)
    return state


def reset_row(state: Rows, row: int) -> None:
    """Forget all that one row has heard."""
    for array in state:
        array[row] = 0
    state.gain[row] = 1
    state.designed[row] = -RING
    state.peak[row] = -30
    state.mean[row] = PRIOR.mean
    state.breath[row] = PRIOR.breath
