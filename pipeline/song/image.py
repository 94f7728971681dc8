"""Give a mono voice the stereo image of another one: where it stands, and how wide it is, band by band.

With mid M and side S of the original, S = a M + r in every band: a is its place, the power of r its width. The
new side is a M' + b D(M'), where M' is the new voice, D a decorrelator (velvet noise: Välimäki et al.,
"Velvet-noise decorrelator", DAFx 2017), and b makes it as wide.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import stft

Float = NDArray[np.float32]

SIZE = 2048  # samples of a frame; output is so late
BANDS = 32
MEMORY = 0.8  # of a frame's statistics in the next one's
WIDEST = 2.0  # times the mid
VELVET_S, PULSES = 0.03, 30


class ImageTransfer:
    """Streams (2, n) of the original and (n,) of the new voice to (2, n) of the new voice, SIZE samples late.

    Args:
        sample_rate: Hz.
    """

    delay = SIZE

    def __init__(self, sample_rate: int) -> None:
        hz = np.fft.rfftfreq(SIZE, 1 / sample_rate)
        erb = 21.4 * np.log10(1 + 0.00437 * hz)  # Glasberg and Moore (1990)
        self._band = np.minimum(erb / erb[-1] * BANDS, BANDS - 1).astype(np.int64)
        self._mid, self._side, self._voice, self._wide = (stft.open_stft(SIZE) for _ in range(4))
        self._statistics = np.full((BANDS, 3), 1e-9, np.float32)
        self._ready = np.zeros((2, SIZE // 2), np.float32)
        self._velvet = _velvet(sample_rate)
        self._past = np.zeros(len(self._velvet) - 1, np.float32)

    def push(self, original: Float, voice: Float) -> Float:
        """Take the next samples of both; as many come out."""
        sound = np.concatenate((self._past, voice))
        self._past = sound[-(len(self._velvet) - 1) :]
        wide = _convolved(sound, self._velvet)
        out = np.empty((2, len(voice)), np.float32)
        mid = (original[0] + original[1]) * np.float32(0.5)
        side = (original[0] - original[1]) * np.float32(0.5)
        args = (self._mid, self._side, self._voice, self._wide, self._statistics, self._band, self._ready)
        _transfer(*args, mid, side, np.ascontiguousarray(voice), wide, out)
        return out


def _velvet(sample_rate: int) -> Float:
    rng = np.random.default_rng(1)
    length = int(VELVET_S * sample_rate)
    kernel = np.zeros(length, np.float32)
    grid = length / PULSES
    for pulse in range(PULSES):
        place = int((pulse + rng.random()) * grid)
        kernel[min(place, length - 1)] = rng.choice((-1.0, 1.0)) * np.exp(-2.0 * pulse / PULSES)
    return np.asarray(kernel / np.linalg.norm(kernel), np.float32)


@njit(nogil=True, cache=True, fastmath=True)
def _convolved(sound: Float, kernel: Float) -> Float:
    count = sound.shape[0] - kernel.shape[0] + 1
    out = np.zeros(count, np.float32)
    for k in range(kernel.shape[0]):
        weight = kernel[k]
        if weight != 0.0:
            start = kernel.shape[0] - 1 - k
            for i in range(count):
                out[i] += weight * sound[start + i]
    return out


@njit(nogil=True, cache=True)
def _transfer(
    m: stft.Stft,
    s: stft.Stft,
    v: stft.Stft,
    d: stft.Stft,
    statistics: Float,
    band: NDArray[np.int64],
    ready: Float,
    mid: Float,
    side: Float,
    voice: Float,
    wide: Float,
    out: Float,
) -> None:
    hop = SIZE // 2
    at = 0
    while at < mid.shape[0]:
        filled = m.fill[0]
        n = stft.push(m, mid[at:])
        stft.push(s, side[at : at + n])
        stft.push(v, voice[at : at + n])
        stft.push(d, wide[at : at + n])
        out[:, at : at + n] = ready[:, filled : filled + n]
        at += n
        if m.fill[0] == 0:
            _widen(m, s, v, d, statistics, band)
            stft.pull(v, ready[0])
            stft.pull(s, ready[1])
            for i in range(hop):
                left = ready[0, i] + ready[1, i]
                ready[1, i] = ready[0, i] - ready[1, i]
                ready[0, i] = left


@njit(nogil=True, cache=True, fastmath=True)
def _widen(
    m: stft.Stft, s: stft.Stft, v: stft.Stft, d: stft.Stft, statistics: Float, band: NDArray[np.int64]
) -> None:
    """Put the new side into the spectrum of s."""
    bins = m.re.shape[0]
    for b in range(BANDS):
        for k in range(3):
            statistics[b, k] *= np.float32(MEMORY)
    for k in range(bins):
        b = band[k]
        statistics[b, 0] += m.re[k] * m.re[k] + m.im[k] * m.im[k]
        statistics[b, 1] += s.re[k] * s.re[k] + s.im[k] * s.im[k]
        statistics[b, 2] += s.re[k] * m.re[k] + s.im[k] * m.im[k]
    for k in range(bins):
        b = band[k]
        power = max(statistics[b, 0], np.float32(1e-9))
        place = min(max(statistics[b, 2] / power, -1.0), 1.0)
        rest = statistics[b, 1] / power - place * place
        width = min(max(rest, 0.0) ** 0.5, WIDEST)
        s.re[k] = place * v.re[k] + width * d.re[k]
        s.im[k] = place * v.im[k] + width * d.im[k]
