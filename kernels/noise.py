"""Noise that is a function of its place: the same sample is the same noise, in whatever order it is asked for.

A counter-based generator after Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), with the
finaliser of splitmix64 (Steele et al., 2014) as its hash, and Box and Muller's transform. It keeps no state, so
rows cannot disturb each other, a look-ahead may be computed twice, and a CUDA graph can hold it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed number, and the multipliers of splitmix64
_FIRST = -4658895280553007687  # 0xBF58476D1CE4E5B9
_SECOND = -7723592293110705685  # 0x94D049BB133111EB


def _mix(x: Tensor) -> Tensor:
    """The finaliser of splitmix64 on int64; a shift to the right fills with zeros."""
    x = (x ^ ((x >> 30) & ((1 << 34) - 1))) * _FIRST
    x = (x ^ ((x >> 27) & ((1 << 37) - 1))) * _SECOND
    return x ^ ((x >> 31) & ((1 << 33) - 1))


def normal(seeds: Tensor, start: Tensor, count: int) -> Tensor:
    """Standard normal noise.

    Args:
        seeds: (n,) int64, one for each stream.
        start: (n,) int64, place of the first value in its stream.
        count: how many.

    Returns:
        (n, count) float32.
    """
    places = start[:, None] + torch.arange(count, device=start.device)
    bits = _mix(_mix(seeds * _GOLDEN + _GOLDEN)[:, None] + places * _GOLDEN)
    one = ((bits >> 40) & 0xFFFFFF).float().add_(1.0).div_(1 << 24)  # in (0, 1]
    two = ((bits >> 8) & 0xFFFFFF).float().div_(1 << 24)
    return torch.sqrt(-2.0 * torch.log(one)) * torch.cos(2.0 * math.pi * two)
