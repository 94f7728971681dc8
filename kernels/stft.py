"""Short-time Fourier analysis and its inverse by overlap-add, as streams.

A periodic Hann window at half overlap, square-rooted on both sides, so that analysis followed by synthesis is
the identity, `size` samples later (Allen and Rabiner, "A unified approach to short-time Fourier analysis and
synthesis", Proc. IEEE 65, 1977). Any split of the stream into blocks gives the same frames.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import fft

Float = NDArray[np.float32]


class Stft(NamedTuple):
    """One stream's analysis and synthesis state for frames of `size` samples, half overlapping."""

    plan: fft.Plan
    window: Float  # (size,) square root of a periodic Hann window
    past: Float  # (size,) the last samples taken
    fill: NDArray[np.int64]  # (1,) samples taken since the last frame
    frame: Float  # (size,) scratch
    re: Float  # (size / 2 + 1,) the last frame's spectrum
    im: Float  # (size / 2 + 1,)
    tail: Float  # (size,) overlap-add accumulator


def open_stft(size: int) -> Stft:
    """Allocate a stream with frames of `size` samples, a power of two of at least 4."""
    real = np.float32
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(real)
    bins = size // 2 + 1
    return Stft(
        plan=fft.plan(size),
        window=window,
        past=np.zeros(size, real),
        fill=np.zeros(1, np.int64),
        frame=np.zeros(size, real),
        re=np.zeros(bins, real),
        im=np.zeros(bins, real),
        tail=np.zeros(size, real),
    )


@njit(nogil=True, cache=True)
def push(s: Stft, samples: Float) -> int:
    """Take samples until they end or a frame is complete; returns how many were taken.

    A frame is complete when `s.fill[0]` is 0 afterwards: its spectrum is in s.re and s.im.
    """
    size = s.window.shape[0]
    hop = size // 2
    n: int = min(hop - int(s.fill[0]), samples.shape[0])
    for i in range(n):
        s.past[hop + s.fill[0] + i] = samples[i]
    s.fill[0] += n
    if s.fill[0] == hop:
        for i in range(size):
            s.frame[i] = s.past[i] * s.window[i]
        fft.rfft(s.frame, size, s.re, s.im, s.plan)
        for i in range(hop):
            s.past[i] = s.past[hop + i]
        s.fill[0] = 0
    return n


@njit(nogil=True, cache=True)
def pull(s: Stft, out: Float) -> None:
    """Overlap-add the spectrum in s.re and s.im; write the `size` / 2 samples that are now complete."""
    size = s.window.shape[0]
    hop = size // 2
    fft.irfft(s.re, s.im, size, s.frame, s.plan)
    for i in range(size):
        s.tail[i] += s.frame[i] * s.window[i]
    for i in range(hop):
        out[i] = s.tail[i]
        s.tail[i] = s.tail[hop + i]
        s.tail[hop + i] = 0.0
