"""The stream state of the overlap-add: preallocated arrays with a row per stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HOP = 240  # samples that a stream advances by (5 ms)
RING = 16_384  # samples of input and output kept per row, a power of two (341 ms)
HALF = 720  # a grain reaches at most this far from its centre (15 ms) ...
SIDE = 672  # ... and takes in at most this much sound on either side: a period of 71 Hz
SPREAD = 480  # samples that a filter rings to either side; at the edges of long grains less is kept of it
DELAY = 2 * HALF  # a grain needs HALF samples after its centre, and reaches HALF back in the output
UNVOICED_STEP = 240  # samples between marks in unvoiced sound
PITCH_RING = 512  # hops of pitch kept per row, a power of two
FFT_SIZE = 2048
BINS = FFT_SIZE // 2 + 1

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


class Stream(NamedTuple):
    """What the overlap-add remembers of a stream; the first axis of each array is the row."""

    position: Int  # (rows,) samples taken so far
    hops: Int  # (rows,) hops taken so far
    ring: Float  # (rows, RING) input, addressed by position
    out: Float  # (rows, RING) grains added up, addressed by position
    f0: Float  # (rows, PITCH_RING) pitch in Hz by hop, 0 unvoiced
    mark: Double  # (rows, 3) analysis marks: the one before, the current, the next
    voiced: Bool  # (rows, 2) whether the current and the next mark are voiced
    synthesis: Double  # (rows,) where the next grain goes
    log_f0: Double  # (rows, 2) sum of log2 f0 over voiced seconds, and those seconds
    octaves: Double  # (rows,) whole octaves added by automatic pitch
    ratio: Double  # (rows,) pitch ratio in force
    size: Double  # (rows,) factor by which formants move, in force
    wet: Float  # (rows,) dry/wet in force
    gate: Float  # (rows,) gate gain in force
    f0_in: Float  # (rows,) last tracked pitch in Hz
    f0_out: Float  # (rows,) the pitch sung for it


def open_stream(rows: int) -> Stream:
    """Allocate the state of `rows` streams, all reset."""
    real = np.float32
    stream = Stream(
        position=np.zeros(rows, np.int64),
        hops=np.zeros(rows, np.int64),
        ring=np.zeros((rows, RING), real),
        out=np.zeros((rows, RING), real),
        f0=np.zeros((rows, PITCH_RING), real),
        mark=np.zeros((rows, 3)),
        voiced=np.zeros((rows, 2), np.bool_),
        synthesis=np.zeros(rows),
        log_f0=np.zeros((rows, 2)),
        octaves=np.zeros(rows),
        ratio=np.zeros(rows),
        size=np.zeros(rows),
        wet=np.zeros(rows, real),
        gate=np.zeros(rows, real),
        f0_in=np.zeros(rows, real),
        f0_out=np.zeros(rows, real),
    )
    for row in range(rows):
        reset_stream(stream, row)
    return stream


def reset_stream(stream: Stream, row: int) -> None:
    """Forget all that one row has heard."""
    for array in stream:
        array[row] = 0
    for array in (stream.size, stream.ratio, stream.wet, stream.gate):
        array[row] = 1
    stream.mark[row] = (-2 * UNVOICED_STEP, -UNVOICED_STEP, 0)
    stream.synthesis[row] = -UNVOICED_STEP
