"""A bank of harmonic oscillators that keep their phase from block to block."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float32]


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def harmonics(
    phase: NDArray[np.float64], f0_hz: Float, amplitudes: Float, sample_rate: float, out: Float
) -> None:
    """Add sum_k amplitudes[k] sin((k + 1) phase) to `out`, and leave `phase` where the next block continues.

    Args:
        phase: (1,) running phase of the fundamental, in cycles.
        f0_hz: (samples,) fundamental per sample; 0 is silence and holds the phase.
        amplitudes: (harmonics,); those near and above the Nyquist frequency fade out.
        sample_rate: Hz.
        out: (samples,).
    """
    nyquist = 0.5 * sample_rate
    turn = phase[0]
    for i in range(out.shape[0]):
        f0 = f0_hz[i]
        if f0 <= 0.0:
            continue
        turn += f0 / sample_rate
        turn -= math.floor(turn)
        # sines of multiples by the Chebyshev recurrence
        s1, c1 = math.sin(2.0 * math.pi * turn), 2.0 * math.cos(2.0 * math.pi * turn)
        previous, current = 0.0, s1
        total = 0.0
        for k in range(amplitudes.shape[0]):
            f = (k + 1) * f0
            if f >= nyquist:
                break
            room = (nyquist - f) / (0.05 * nyquist)
            total += amplitudes[k] * (room if room < 1.0 else 1.0) * current
            previous, current = current, c1 * current - previous
        out[i] += np.float32(total)
    phase[0] = turn
