"""Gains and levels over blocks: conversion to 16 bits, ramps, crossfades, mean power."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float32]


@njit(nogil=True, cache=True, fastmath=True)
def power(x: Float) -> float:
    """Mean square of the samples; 0 for none."""
    total = np.float32(0.0)
    for i in range(x.shape[0]):
        total += x[i] * x[i]
    mean: float = total / max(x.shape[0], 1)
    return mean


@njit(nogil=True, cache=True)
def to_pcm(x: Float, out: NDArray[np.int16]) -> None:
    """Round float32 in [-1, 1] to 16-bit samples; what is louder is limited, what is not a number is silent."""
    for i in range(x.shape[0]):
        value = x[i] * np.float32(32767.0)
        if not abs(value) < 1e9:
            value = np.float32(0.0)
        out[i] = np.int16(min(max(round(value), -32768.0), 32767.0))


@njit(nogil=True, cache=True)
def crossfade(a: Float, b: Float, out: Float) -> None:
    """Go from a to b along a straight line; all three have one length, and `out` may be either."""
    n = out.shape[0]
    for i in range(n):
        g = np.float32((i + 1) / n)
        out[i] = a[i] + g * (b[i] - a[i])
