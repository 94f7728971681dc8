"""Loudness after ITU-R BS.1770-4: K-weighted, gated, in LUFS, measured as a stream."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kernels.biquad import filter_block

Float = NDArray[np.float32]

HOP_S = 0.1  # gating blocks of 400 ms overlap by three quarters
ABSOLUTE_GATE = -70.0
RELATIVE_GATE = -10.0


def k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """(2, 5) filter sections: the head's shelf and the high pass of annex 1, for any sample rate in Hz."""
    k = math.tan(math.pi * 1681.974450955533 / sample_rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [
        (high + band * k / q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / q + k * k) / a0,
        2 * (k * k - 1) / a0,
        (1 - k / q + k * k) / a0,
    ]
    k, q = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return np.array([shelf, [1.0, -2.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]])


class LoudnessMeter:
    """Integrated loudness of a stream.

    Args:
        sample_rate: Hz.
        channels: 1 or 2; a mono stream counts as one loudspeaker.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._sections = k_weighting(sample_rate)
        self._states = np.zeros((channels, 2, 2))
        self._hop = round(HOP_S * sample_rate)
        self._rest = np.zeros(0)  # summed squares of samples that fill no hop yet
        self._hops: list[float] = []

    def push(self, block: Float) -> None:
        """Take (channels, samples)."""
        power = np.zeros(block.shape[1])
        weighted = np.empty(block.shape[1])
        for state, channel in zip(self._states, block, strict=True):
            filter_block(self._sections, state, channel, weighted)
            power += weighted * weighted
        power = np.concatenate((self._rest, power))
        whole = len(power) // self._hop
        self._hops.extend(power[: whole * self._hop].reshape(whole, self._hop).mean(1))
        self._rest = power[whole * self._hop :]

    def lufs(self) -> float:
        """Integrated loudness so far; minus infinity for silence and for less than 400 ms."""
        hops = np.array(self._hops)
        if len(hops) < 4:
            return -math.inf
        blocks = np.convolve(hops, np.full(4, 0.25), "valid")
        loud = blocks[_lufs(blocks) > ABSOLUTE_GATE]
        if not len(loud):
            return -math.inf
        loud = loud[_lufs(loud) > _lufs(loud.mean()) + RELATIVE_GATE]
        return float(_lufs(loud.mean()))


def _lufs(power: NDArray[np.float64] | np.floating) -> NDArray[np.float64]:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-12)))
