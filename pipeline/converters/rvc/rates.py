"""Filters between sample rates that run on the device, a block at a time."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

ATTENUATION = 12.0  # beta of the Kaiser window: 118 dB


def _lowpass(taps: int, cutoff: float, gain: float) -> np.ndarray:
    """A windowed sinc (taps,) float64 whose cutoff is a fraction of the sample rate."""
    n = np.arange(taps) - (taps - 1) / 2
    fir = np.sinc(2 * cutoff * n) * np.kaiser(taps, ATTENUATION)
    return np.asarray(fir * gain / fir.sum())


class Decimator(nn.Module):
    """48 to 16 kHz: each sample is the middle of 2 * SIDE + 1 of the input."""

    SIDE = 240
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        fir = _lowpass(2 * self.SIDE + 1, 7500 / 48_000, 1.0)
        self.register_buffer("weight", torch.from_numpy(fir.astype(np.float32))[None, None])

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2 * SIDE + samples) -> (n, samples / 3)."""
        return functional.conv1d(x[:, None], self.weight, stride=3)[:, 0]


class Interpolator(nn.Module):
    """The rate of a model to 48 kHz, by as many filters as there are phases."""

    weight: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        common = math.gcd(48_000, sample_rate)
        self.up, self.down = 48_000 // common, sample_rate // common
        self.side = 0 if self.up == self.down else 40  # samples of the model to either side
        reach = self.side * self.up
        fir = _lowpass(2 * reach + 1, 0.46 * sample_rate / (sample_rate * self.up), self.up)
        # output up * m + p is at input down * m + p * down / up: tap k is `k - side` away from down * m
        at = np.arange(-self.side, self.side + self.down)
        phases = np.arange(self.up)[:, None] * self.down - at[None] * self.up
        inside = np.abs(phases) <= reach
        weight = np.where(inside, fir[np.clip(phases + reach, 0, 2 * reach)], 0.0)
        self.register_buffer("weight", torch.from_numpy(weight.astype(np.float32))[:, None])

    def forward(self, x: Tensor, samples: int) -> Tensor:
        """`samples` at 48 kHz, (n, samples), from (n, side + at least their time + side + down) of the model.

        Output 0 is at input `side`.
        """
        if self.up == self.down:
            return x[:, :samples]
        groups = samples // self.up
        needed = (groups - 1) * self.down + self.weight.shape[-1]
        made = functional.conv1d(x[:, None, :needed], self.weight, stride=self.down)
        return made.transpose(1, 2).reshape(len(x), samples)
