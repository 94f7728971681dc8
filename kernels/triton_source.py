"""The harmonic source of a decoder as one Triton kernel: noise, phase, sine, mixing and tanh.

The noise is that of `kernels.noise`, the rest that of `pipeline.vocoder.nsf.Source`, which says what it is.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
_GOLDEN = tl.constexpr(-7046029254386353131)  # as in kernels/noise.py
_FIRST = tl.constexpr(-4658895280553007687)
_SECOND = tl.constexpr(-7723592293110705685)
_TURN = tl.constexpr(2.0 * math.pi)


@triton.jit
def _mix(x):  # type: ignore[no-untyped-def]
    x = (x ^ ((x >> 30) & ((1 << 34) - 1))) * _FIRST
    x = (x ^ ((x >> 27) & ((1 << 37) - 1))) * _SECOND
    return x ^ ((x >> 31) & ((1 << 33) - 1))


@triton.jit(do_not_specialize=["frames", "hop"])
def _excite(  # type: ignore[no-untyped-def]
    f0, ends, seeds, starts, weight, bias, out, frames, hop, sample_rate, sine_level, noise_level,
    unvoiced_level, block: tl.constexpr,
) -> Any:  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * block + tl.arange(0, block)
    inside = place < frames * hop
    frame = place // hop
    hz = tl.load(f0 + row * frames + frame, mask=inside, other=0.0)
    before = tl.load(ends + row * (frames + 1) + frame, mask=inside, other=0.0)
    turn = before + hz.to(tl.float64) / sample_rate * (place % hop + 1).to(tl.float64)
    turn = (turn - tl.floor(turn)).to(tl.float32)
    sine = tl.sin(turn * _TURN) * sine_level

    seed = tl.load(seeds + row)
    sample = tl.load(starts + row) + place.to(tl.int64)
    bits = _mix(_mix(seed * _GOLDEN + _GOLDEN) + sample * _GOLDEN)
    one = (((bits >> 40) & 0xFFFFFF).to(tl.float32) + 1.0) / 16777216.0
    two = ((bits >> 8) & 0xFFFFFF).to(tl.float32) / 16777216.0
    noise = tl.sqrt(-2.0 * tl.log(one)) * tl.cos(_TURN * two)

    excitation = tl.where(hz > 0, sine + noise_level * noise, unvoiced_level * noise)
    made = excitation * tl.load(weight).to(tl.float32) + tl.load(bias).to(tl.float32)
    made = 2.0 / (1.0 + tl.exp(-2.0 * made)) - 1.0  # tanh
    tl.store(out + row * frames * hop + place, made.to(out.dtype.element_ty), mask=inside)


def launch(
    f0_hz: Tensor,
    ends: Tensor,
    seeds: Tensor,
    starts: Tensor,
    linear: torch.nn.Linear,
    hop: int,
    sample_rate: int,
    levels: tuple[float, float, float],
) -> Tensor:
    """The excitation of some frames.

    Args:
        f0_hz: (n, frames) float32, 0 unvoiced.
        ends: (n, frames + 1) float64, phase before each frame and after the last, in cycles.
        seeds, starts: (n,) int64, of the noise.
        linear: one weight and one bias; their type is that of the result.
        hop: samples per frame.
        sample_rate: Hz.
        levels: of the sine, of the noise beside it, and of noise alone.

    Returns:
        (n, 1, frames * hop).
    """
    count, frames = f0_hz.shape
    out = torch.empty(count, 1, frames * hop, device=f0_hz.device, dtype=linear.weight.dtype)
    grid = (count, triton.cdiv(frames * hop, BLOCK))
    arrays = (f0_hz.contiguous(), ends.contiguous(), seeds.contiguous(), starts.contiguous())
    with torch.cuda.device_of(f0_hz):  # type: ignore[no-untyped-call]
        _excite[grid](
            *arrays, linear.weight, linear.bias, out, frames, hop, float(sample_rate), *levels, block=BLOCK
        )
    return out
