"""Real FFTs of small power-of-two sizes for use inside other compiled loops.

Stockham's autosort algorithm, radix 4, on separate real and imaginary arrays; a real transform of n samples
runs as a complex one of n / 2 (Sorensen et al., "Real-valued fast Fourier transform algorithms", IEEE
ASSP-35, 1987). Everything a transform needs is made once by `plan`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float32]


class Plan(NamedTuple):
    """Twiddle factors and work space for real transforms of up to `size` samples (a power of two)."""

    cos: Float  # (size / 2,) cos(2 pi k / size)
    sin: Float  # (size / 2,) sin(2 pi k / size)
    work: Float  # (4, size / 2)


def plan(size: int) -> Plan:
    """Make the plan for transforms of `size` samples or any smaller power of two.

    Raises:
        ValueError: `size` is not a power of two of at least 4.
    """
    if size < 4 or size & (size - 1):
        raise ValueError(f"an FFT size must be a power of two of at least 4, not {size}")
    angle = 2 * np.pi * np.arange(size // 2) / size
    return Plan(
        np.cos(angle).astype(np.float32),
        np.sin(angle).astype(np.float32),
        np.zeros((4, size // 2), np.float32),
    )


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _complex_fft(n: int, sign: float, p: Plan) -> int:
    """Transform p.work[0:2, :n] (re, im) with exp(-sign i ...); returns the work row of the result, 0 or 2."""
    source, target = 0, 2
    length, stride = n, 1
    while length >= 4:
        _pass(length, stride, sign, p, p.work[source : source + 2], p.work[target : target + 2])
        source, target = target, source
        length, stride = length // 4, stride * 4
    if length == 2:
        x, out = p.work[source : source + 2], p.work[target : target + 2]
        for part in range(2):
            for q in range(stride):
                out[part, q] = x[part, q] + x[part, stride + q]
                out[part, stride + q] = x[part, q] - x[part, stride + q]
        source = target
    return source


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _pass(length: int, stride: int, sign: float, p: Plan, x: Float, out: Float) -> None:
    """One radix-4 pass: four quarters of x (re and im) become every fourth of out."""
    turn = np.float32(sign)
    step = 2 * p.cos.shape[0] // length
    quarter = length // 4
    re, im, out_re, out_im = x[0], x[1], out[0], out[1]
    for i in range(quarter):
        k = i * step
        one_re, one_im = p.cos[k], -turn * p.sin[k]
        two_re, two_im = p.cos[2 * k], -turn * p.sin[2 * k]
        three_re, three_im = one_re * two_re - one_im * two_im, one_re * two_im + one_im * two_re
        at, next_, o = stride * i, stride * quarter, stride * 4 * i
        for q in range(stride):
            a, b = at + q, at + next_ + q
            c, d = b + next_, b + 2 * next_
            even_re, even_im = re[a] + re[c], im[a] + im[c]
            less_re, less_im = re[a] - re[c], im[a] - im[c]
            odd_re, odd_im = re[b] + re[d], im[b] + im[d]
            side_re, side_im = turn * (im[b] - im[d]), -turn * (re[b] - re[d])
            out_re[o + q], out_im[o + q] = even_re + odd_re, even_im + odd_im
            j = o + stride + q
            made_re, made_im = less_re + side_re, less_im + side_im
            out_re[j] = made_re * one_re - made_im * one_im
            out_im[j] = made_re * one_im + made_im * one_re
            j += stride
            made_re, made_im = even_re - odd_re, even_im - odd_im
            out_re[j] = made_re * two_re - made_im * two_im
            out_im[j] = made_re * two_im + made_im * two_re
            j += stride
            made_re, made_im = less_re - side_re, less_im - side_im
            out_re[j] = made_re * three_re - made_im * three_im
            out_im[j] = made_re * three_im + made_im * three_re


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def rfft(x: Float, n: int, re: Float, im: Float, p: Plan) -> None:
    """Spectrum of x[:n], n a power of two up to the plan's size, into re[: n/2 + 1] and im[: n/2 + 1]."""
    half = n // 2
    for i in range(half):
        p.work[0, i] = x[2 * i]
        p.work[1, i] = x[2 * i + 1]
    row = _complex_fft(half, 1.0, p)
    zr, zi = p.work[row], p.work[row + 1]
    step = 2 * p.cos.shape[0] // n
    re[0], im[0] = zr[0] + zi[0], 0.0
    re[half], im[half] = zr[0] - zi[0], 0.0
    for k in range(1, half):
        j = half - k
        even_re, even_im = 0.5 * (zr[k] + zr[j]), 0.5 * (zi[k] - zi[j])
        odd_re, odd_im = 0.5 * (zi[k] + zi[j]), -0.5 * (zr[k] - zr[j])
        wr, wi = p.cos[k * step], -p.sin[k * step]
        re[k] = even_re + odd_re * wr - odd_im * wi
        im[k] = even_im + odd_re * wi + odd_im * wr


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def irfft(re: Float, im: Float, n: int, x: Float, p: Plan) -> None:
    """Samples x[:n] of the spectrum re, im [: n/2 + 1]; the inverse of `rfft`, scaled by 1 / n."""
    half = n // 2
    step = 2 * p.cos.shape[0] // n
    for k in range(half):
        j = half - k
        even_re, even_im = 0.5 * (re[k] + re[j]), 0.5 * (im[k] - im[j])
        diff_re, diff_im = 0.5 * (re[k] - re[j]), 0.5 * (im[k] + im[j])
        wr, wi = p.cos[k * step], p.sin[k * step]
        odd_re = diff_re * wr - diff_im * wi
        odd_im = diff_re * wi + diff_im * wr
        p.work[0, k] = even_re - odd_im
        p.work[1, k] = even_im + odd_re
    row = _complex_fft(half, -1.0, p)
    zr, zi = p.work[row], p.work[row + 1]
    scale = np.float32(1.0 / half)
    for i in range(half):
        x[2 * i] = zr[i] * scale
        x[2 * i + 1] = zi[i] * scale
