"""The network of the live pitch tracker: from views of the sound to how likely each pitch is, look by look.

It is convolutional along pitch, so that what it learns of one note holds for all, with taps an octave and a
twelfth away, harmonics as layers ("deep salience", Bittner et al., ISMIR 2017), and looks back, never ahead.
`training/pitch` makes it.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from safetensors.numpy import load

from pipeline.pitch.views import PITCHES, SPECTRUM, VALUES

FILE = Path(__file__).parent / "live.safetensors"
CHANNELS = 16
CLARITIES = ((0, PITCHES), (PITCHES, 2 * PITCHES))  # where each view begins and ends
SPECTRA = ((2 * PITCHES, 2 * PITCHES + SPECTRUM), (2 * PITCHES + SPECTRUM, VALUES))
HARMONICS = (0, 24, 38, 48, 56, 62, 72, 80)  # steps from half a pitch to 1/2, 1, 3/2, 2, 5/2, 3, 4 and 5 times
FIRST = tuple(  # of the first layer: (begin and end of a view, where in it the tap starts)
    [(*view, step) for view in CLARITIES for step in (-1, 0, 1)]
    + [(*view, harmonic + step) for view in SPECTRA for harmonic in HARMONICS for step in (-1, 0, 1)]
)
GRIDS = (  # of the other layers, what their taps lie on: (looks back, steps of pitch), evenly spaced
    (((0,), (-2, -1, 0, 1, 2)), ((0,), (-24, 24)), ((0,), (-38, 38))),
    (((0, 1, 2), (-1, 0, 1)),),
    (((0, 3, 6), (-2, 0, 2)),),
    (((0, 8, 16), (-3, 0, 3)),),
)
TAPS = tuple(tuple(tap for grid in grids for tap in product(*grid)) for grids in GRIDS)
DEPTH = 17  # looks of which each layer's input is kept
LEAK = 0.1  # slope of the activation below zero
HIDDEN = 16  # of what decides on voicing

Float = NDArray[np.float32]
Int = NDArray[np.int64]


class Network(NamedTuple):
    """Weights, and scratch space of one thread."""

    first: Float  # (CHANNELS, len(FIRST) + 2): views, then level and place on the axis
    first_bias: Float  # (CHANNELS,)
    layers: Float  # (layers, CHANNELS, taps * CHANNELS)
    biases: Float  # (layers, CHANNELS)
    last: Float  # (CHANNELS,)
    pooled: Float  # (HIDDEN, 2 * CHANNELS + 1): greatest, mean, level
    pooled_bias: Float  # (HIDDEN,)
    voicing: Float  # (HIDDEN + 1,) and its bias
    heard: Int  # (len(FIRST), 3) FIRST
    taps: Int  # (layers, taps, 2) TAPS
    patch: Float  # (taps * CHANNELS, PITCHES)
    made: Float  # (CHANNELS, PITCHES)
    map: Float  # (CHANNELS, PITCHES)


def make_network(weights: dict[str, Float]) -> Network:
    """Put weights, by the names of the fields above, together with scratch space."""
    names = ("first", "first_bias", "layers", "biases", "last", "pooled", "pooled_bias", "voicing")
    real = np.float32
    return Network(
        **{name: np.ascontiguousarray(weights[name], real) for name in names},
        heard=np.array(FIRST, np.int64),
        taps=np.array(TAPS, np.int64),
        patch=np.zeros((max(len(TAPS[0]) * CHANNELS, len(FIRST) + 2), PITCHES), real),
        made=np.zeros((CHANNELS, PITCHES), real),
        map=np.zeros((CHANNELS, PITCHES), real),
    )


@cache
def _shipped() -> dict[str, Float]:
    return load(FILE.read_bytes())


def load_network() -> Network:
    """The shipped weights, with scratch space for one thread."""
    return make_network(_shipped())


def open_past(rows: int) -> Float:
    """What the network remembers of `rows` streams: (rows, layers, DEPTH, CHANNELS, PITCHES)."""
    return np.zeros((rows, len(TAPS), DEPTH, CHANNELS, PITCHES), np.float32)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _mix(weight: Float, bias: Float, patch: Float, out: Float) -> None:
    """out = leaky(weight @ patch + bias), four rows at a time."""
    for o in range(0, out.shape[0], 4):
        for j in range(out.shape[1]):
            out[o, j] = bias[o]
            out[o + 1, j] = bias[o + 1]
            out[o + 2, j] = bias[o + 2]
            out[o + 3, j] = bias[o + 3]
        for k in range(weight.shape[1]):
            a, b, c, d = weight[o, k], weight[o + 1, k], weight[o + 2, k], weight[o + 3, k]
            for j in range(out.shape[1]):
                x = patch[k, j]
                out[o, j] += a * x
                out[o + 1, j] += b * x
                out[o + 2, j] += c * x
                out[o + 3, j] += d * x
        for i in range(o, o + 4):
            for j in range(out.shape[1]):
                out[i, j] = max(out[i, j], np.float32(LEAK) * out[i, j])


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _shift(source: Float, step: int, out: Float) -> None:
    """out[j] = source[j + step], 0 beyond its ends."""
    for j in range(out.shape[0]):
        k = j + step
        out[j] = source[k] if 0 <= k < source.shape[0] else np.float32(0.0)


@njit(nogil=True, cache=True, error_model="numpy")
def likely(n: Network, past: Float, look: int, views: Float, level: float, out: Float) -> None:
    """Write the log probability of each pitch and, last, of none: (PITCHES + 1,).

    Args:
        n: the network.
        past: (layers, DEPTH, CHANNELS, PITCHES) of this stream.
        look: number of this look.
        views: (VALUES,) as `pipeline.pitch.views.look` writes them.
        level: log power against the loudest of late, over 10.
        out: the answer.
    """
    count = n.heard.shape[0]
    for k in range(count):
        _shift(views[n.heard[k, 0] : n.heard[k, 1]], n.heard[k, 2], n.patch[k])
    for j in range(PITCHES):
        n.patch[count, j] = level
        n.patch[count + 1, j] = np.float32(2.0 * j / PITCHES - 1.0)
    _mix(n.first, n.first_bias, n.patch[: count + 2], n.map)
    for layer in range(n.layers.shape[0]):
        past[layer, look % DEPTH] = n.map
        for t in range(n.taps.shape[1]):
            back, step = n.taps[layer, t, 0], n.taps[layer, t, 1]
            source = past[layer, (look - back) % DEPTH]
            for c in range(CHANNELS):
                _shift(source[c], step, n.patch[t * CHANNELS + c])
        _mix(n.layers[layer], n.biases[layer], n.patch[: n.layers.shape[2]], n.made)
        n.map[:] += n.made
    _answer(n, level, out)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _answer(n: Network, level: float, out: Float) -> None:
    """From the last map to log probabilities."""
    out[:PITCHES] = 0.0
    for c in range(CHANNELS):
        for j in range(PITCHES):
            out[j] += n.last[c] * n.map[c, j]
    none = n.voicing[HIDDEN]
    for h in range(HIDDEN):
        total = n.pooled_bias[h] + n.pooled[h, 2 * CHANNELS] * np.float32(level)
        for c in range(CHANNELS):
            greatest, mean = n.map[c, 0], np.float32(0.0)
            for j in range(PITCHES):
                greatest = max(greatest, n.map[c, j])
                mean += n.map[c, j]
            total += n.pooled[h, c] * greatest + n.pooled[h, CHANNELS + c] * mean / np.float32(PITCHES)
        none += n.voicing[h] * max(total, np.float32(LEAK) * total)
    out[PITCHES] = none
    top = out.max()
    total = np.float32(0.0)
    for j in range(PITCHES + 1):
        total += np.exp(out[j] - top)
    shift = top + np.log(total)
    for j in range(PITCHES + 1):
        out[j] -= shift
