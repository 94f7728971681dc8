"""A ring buffer addressed by absolute position: sample n lives at n modulo the length, a power of two."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Float = NDArray[np.float32]


@njit(nogil=True, cache=True)
def put(ring: Pcm, position: int, samples: Pcm) -> None:
    """Write `samples` at absolute `position`; what was there a ring's length ago is overwritten."""
    mask = ring.shape[0] - 1
    for i in range(samples.shape[0]):
        ring[(position + i) & mask] = samples[i]


@njit(nogil=True, cache=True)
def take(ring: Pcm, position: int, out: Float) -> None:
    """Read len(out) samples from absolute `position` as float32 in [-1, 1)."""
    mask = ring.shape[0] - 1
    for i in range(out.shape[0]):
        out[i] = ring[(position + i) & mask] * np.float32(1.0 / 32768.0)


@njit(nogil=True, cache=True)
def bridge(ring: Pcm, start: int, end: int, fade: int) -> None:
    """Fill positions start .. end - 1 with the sample before them, faded to silence over `fade` samples."""
    mask = ring.shape[0] - 1
    last = float(ring[(start - 1) & mask])
    for i in range(end - start):
        ring[(start + i) & mask] = np.int16(last * (1.0 - i / fade)) if i < fade else np.int16(0)


@njit(nogil=True, cache=True)
def fade_in(ring: Pcm, position: int, fade: int) -> None:
    """Scale `fade` samples from `position` up from silence."""
    mask = ring.shape[0] - 1
    for i in range(fade):
        j = (position + i) & mask
        ring[j] = np.int16(ring[j] * ((i + 1) / fade))
