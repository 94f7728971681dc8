"""`kernels.conv_input` as one Triton kernel; imported where it runs only."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


# of these a step has many values, and code for each of their divisors would be compiled while somebody sings
@triton.jit(do_not_specialize=["channels", "time", "left", "total", "at", "end", "size"])
def _conv_input(  # type: ignore[no-untyped-def]
    x, held, out, kept, channels, time, left, total, at, end, size, slope, block: tl.constexpr
) -> Any:
    row = tl.program_id(0).to(tl.int64)  # stream * channels + channel
    place = tl.program_id(1) * block + tl.arange(0, block)
    memory = row // channels * size + at + row % channels * left
    past = tl.load(held + memory + place, mask=place < left, other=0.0)
    inside = (place >= left) & (place < left + time)
    now = tl.load(x + row * time + place - left, mask=inside, other=0.0).to(tl.float32)
    now = tl.where(now >= 0, now, now * slope).to(past.dtype)
    joined = tl.where(place < left, past, now)
    tl.store(out + row * total + place, joined, mask=place < total)
    keep = place - end
    tl.store(kept + memory + keep, joined, mask=(keep >= 0) & (keep < left))


def launch(
    x: Tensor, slope: float, left: int, right: int, held: Tensor, kept: Tensor, at: int, end: int
) -> Tensor:
    """See `kernels.conv_input.conv_input`."""
    x, (count, channels, time) = x.contiguous(), x.shape
    assert held.is_contiguous()
    assert kept.is_contiguous()
    total = left + time + right
    out = torch.empty(count, channels, total, device=x.device, dtype=x.dtype)
    grid = (count * channels, triton.cdiv(total, BLOCK))
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        _conv_input[grid](
            x, held, out, kept, channels, time, left, total, at, end, held.shape[1], slope, block=BLOCK
        )
    return out
