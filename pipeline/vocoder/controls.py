"""What a singer sets, as the overlap-add follows it: gate, pitch, formants, dry and wet."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.pitch import live
from pipeline.vocoder.stream import DELAY, HOP, PITCH_RING, RING, Stream

Float = NDArray[np.float32]

OCTAVE_MARGIN = 0.65  # automatic pitch changes octave when it is off by more than this
GATE_CLOSE, GATE_OPEN = 0.08, 0.5  # part of the way that the gate moves in a hop


@njit(nogil=True, cache=True, error_model="numpy")
def take_hop(v: Stream, r: int, x: Float, threshold_db: float, f0: float) -> None:
    """Write HOP samples to the ring, fading to silence while they are quieter than the threshold.

    `f0` in Hz is the pitch `live.LOOKAHEAD` before the end of x.
    """
    start = v.position[r]
    power = np.float32(0.0)
    for i in range(HOP):
        # NaN, infinity and denormals never enter the state
        value = x[i] if live.TINY < abs(x[i]) <= 8.0 else np.float32(0.0)
        power += value * value
        v.ring[r, (start + i) & (RING - 1)] = value
    open_ = threshold_db <= -100.0 or power / HOP > 10.0 ** (threshold_db / 10.0)
    old = v.gate[r]
    target = np.float32(1.0) if open_ else np.float32(0.0)
    new = old + np.float32(GATE_OPEN if open_ else GATE_CLOSE) * (target - old)
    if abs(new - target) < 1e-3:
        new = target
    v.gate[r] = new
    if old < 1.0 or new < 1.0:
        for i in range(HOP):
            v.ring[r, (start + i) & (RING - 1)] *= old + (new - old) * np.float32((i + 1) / HOP)
    v.f0[r, v.hops[r] & (PITCH_RING - 1)] = f0
    v.position[r] = start + HOP
    v.hops[r] += 1
    v.f0_in[r] = f0


@njit(nogil=True, cache=True, error_model="numpy")
def follow_pitch(v: Stream, r: int, apart: float, semitones: float, auto: bool) -> None:
    """Move the pitch ratio to what the controls and the two voices, `apart` octaves, ask for."""
    if not auto:
        v.octaves[r] = 0.0
    elif abs(apart - v.octaves[r]) > OCTAVE_MARGIN:
        v.octaves[r] = math.floor(apart + 0.5)
    v.ratio[r] = 2.0 ** (semitones / 12.0 + v.octaves[r])
    v.f0_out[r] = v.f0_in[r] * v.ratio[r]


@njit(nogil=True, cache=True, error_model="numpy")
def follow_size(v: Stream, r: int, wanted: float) -> None:
    """Move the formants' factor towards what is wanted."""
    if abs(wanted - v.size[r]) > 0.002:
        v.size[r] += 0.2 * (wanted - v.size[r])
    elif wanted == 1.0:
        v.size[r] = 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def octaves_apart(v: Stream, r: int, known: bool, log_f0: float) -> float:
    """How far the target's pitch (log2 Hz) is above what was sung so far, 0 while that is not known."""
    return log_f0 - v.log_f0[r, 0] / v.log_f0[r, 1] if known and v.log_f0[r, 1] > 0.3 else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def give(v: Stream, r: int, wet: float, y: Float) -> None:
    """Write the samples that are due after those taken last: y.shape[0] of them."""
    samples = y.shape[0]
    old = v.wet[r]
    v.wet[r] = wet
    first = v.position[r] - samples - DELAY
    for i in range(samples):
        j = (first + i) & (RING - 1)
        dry = v.ring[r, j] if first + i >= 0 else np.float32(0.0)
        mix = old + (np.float32(wet) - old) * np.float32((i + 1) / samples)
        y[i] = dry + mix * (v.out[r, j] - dry)
        v.out[r, j] = 0.0
