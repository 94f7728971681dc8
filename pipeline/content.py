"""What is said, without who says it: a causal convolutional encoder of frames, for training and for streams.

Nothing here looks ahead; a frame is measured on a grain that reaches 15 ms past it, and that is all the future
there is. The dilated causal convolutions are those of van den Oord et al., "WaveNet: a generative model for raw
audio", 2016.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Float = NDArray[np.float32]
Int = NDArray[np.int64]

HEARD = 36  # the encoder looks at bands up to 7 kHz, which every recording holds
INPUTS = 2 * HEARD + 2  # shape of the frame, average shape of the voice, level, voicing


@dataclass(frozen=True)
class Size:
    """How large the network is. Dilations are in frames of 10 ms."""

    width: int = 192
    content: int = 64
    heads: int = 4
    encoder: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4)
    decoder: tuple[int, ...] = (1, 2, 4)
    kernel: int = 3
    voice: int = 96


@dataclass
class Past:
    """What the blocks of a stream's network remember: the last inputs of each convolution, a row per stream."""

    rings: list[Float]  # by block: (rows, past + 1, width); frame n is at n modulo past + 1
    frames: Int  # (rows,) frames taken so far

    def reset(self, row: int) -> None:
        """Forget what a row has heard."""
        for ring in self.rings:
            ring[row] = 0
        self.frames[row] = 0


class Block(nn.Module):
    """A causal residual block: dilated convolution, then a pointwise layer."""

    def __init__(self, width: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.past = (kernel - 1) * dilation
        self.dilation = dilation
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, kernel, dilation=dilation)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, width) -> the same shape; what came before the first frame is taken for zero."""
        y = functional.pad(self.norm(x).transpose(1, 2), (self.past, 0))
        y = functional.silu(self.conv(y)).transpose(1, 2)
        out: Tensor = x + self.out(y)
        return out


class Blocks(nn.Module):
    """Blocks one after another."""

    def __init__(self, size: Size, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(size.width, size.kernel, d) for d in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, width) -> the same shape."""
        for block in self.blocks:
            x = block(x)
        return x


@njit(nogil=True, cache=True, error_model="numpy")
def _remember(ring: Float, rows: Int, frames: Int, x: Float, dilation: int, taps: Float) -> None:
    """Write x (n, width) to the rings of `rows`, and what a convolution takes of them to (n, taps * width)."""
    length, width = ring.shape[1:]
    count = taps.shape[1] // width
    for i in range(len(rows)):
        r = rows[i]
        now = frames[r]
        ring[r, now % length] = x[i]
        for k in range(count):
            taps[i, k * width : (k + 1) * width] = ring[r, (now - (count - 1 - k) * dilation) % length]


class StreamedBlocks:
    """The same blocks, a frame at a time, for any of the rows of a batch.

    Args:
        blocks: what was trained; its weights are laid out anew here.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._layers = []
        for block in blocks.blocks:
            assert isinstance(block, Block) and block.conv.bias is not None
            weight = block.conv.weight.detach().permute(2, 1, 0).flatten(0, 1).contiguous()
            self._layers.append((block, weight, block.conv.bias.detach()))

    def open(self, rows: int) -> Past:
        """Allocate what `rows` streams remember."""
        rings = [
            np.zeros((rows, block.past + 1, weight.shape[1]), np.float32) for block, weight, _ in self._layers
        ]
        return Past(rings, np.zeros(rows, np.int64))

    def step(self, x: Tensor, past: Past, rows: Int) -> Tensor:
        """One frame, (n, width) -> the same shape, of the n `rows`, (n,) int64 indices."""
        for (block, weight, bias), ring in zip(self._layers, past.rings, strict=True):
            taps = torch.empty(len(rows), len(weight))
            _remember(ring, rows, past.frames, block.norm(x).numpy(), block.dilation, taps.numpy())
            x = x + block.out(functional.silu(torch.addmm(bias, taps, weight)))
        past.frames[rows] += 1
        return x


class ContentEncoder(nn.Module):
    """Frames to content: (batch, frames, INPUTS) -> (batch, frames, content), each frame normalised."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.first = nn.Linear(INPUTS, size.width)
        self.body = Blocks(size, size.encoder)
        self.last = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, size.content))

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        return self.finish(self.body(self.first(frames)))

    def finish(self, x: Tensor) -> Tensor:
        """What follows the blocks."""
        content: Tensor = self.last(x)
        return functional.layer_norm(content, (self.size.content,))


def encoder_inputs(shapes: Tensor, level: Tensor, f0_hz: Tensor, average: Tensor) -> Tensor:
    """Put together what the encoder takes.

    Args:
        shapes: (…, BANDS) log power by band less its mean over the bands HEARD.
        level: (…,) log power against the loudest of late, over 10.
        f0_hz: (…,) pitch, 0 unvoiced; only whether there is any is used.
        average: (…, BANDS) mean shape of what the same voice voiced so far.

    Returns:
        (…, INPUTS).
    """
    voiced = (f0_hz > 0).to(shapes.dtype)
    heard = torch.cat((shapes[..., :HEARD], average[..., :HEARD]), -1) / 4.0
    return torch.cat((heard, level.unsqueeze(-1), voiced.unsqueeze(-1)), -1)
