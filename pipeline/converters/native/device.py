"""The network on a GPU: memory and voices of all rows stay there, and a step is one recorded graph."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kernels.replay import Replay
from pipeline.content import Block, Blocks, encoder_inputs
from pipeline.converters.native.bank import Banks
from pipeline.converters.native.envelopes import finished
from pipeline.converters.native.frames import Frames
from pipeline.converters.native.network import NativeNet, decoder_inputs, pitch_features
from pipeline.converters.native.voices import NativeVoices
from pipeline.timbre import BANDS
from pipeline.voice import BANK_FRAMES

INPUTS = 2 * BANDS + 3  # shape, average, level, pitch, ratio

Float = NDArray[np.float32]
Int = NDArray[np.int64]


class Ring(nn.Module):
    """The last inputs of one block's convolution, for `rows` streams and one that nobody uses."""

    held: Tensor  # (rows + 1, past + 1, width)
    back: Tensor  # (kernel,) frames from now to each tap

    def __init__(self, block: Block, rows: int) -> None:
        super().__init__()
        taps = block.conv.kernel_size[0]
        self.block = block
        self.register_buffer("held", torch.zeros(rows + 1, block.past + 1, block.conv.in_channels))
        self.register_buffer("back", torch.arange(taps - 1, -1, -1) * block.dilation)

    def forward(self, x: Tensor, rows: Tensor, now: Tensor) -> Tensor:
        """One frame (n, width) of `rows` (n,), whose number is `now` (n,); returns what follows the block."""
        length = self.held.shape[1]
        self.held[rows, now % length] = self.block.norm(x).to(self.held.dtype)
        taps = self.held[rows[:, None], (now[:, None] - self.back) % length]
        weight = self.block.conv.weight.permute(2, 1, 0).flatten(0, 1)
        made = functional.linear(taps.flatten(1), weight.T, self.block.conv.bias)
        out: Tensor = x + self.block.out(functional.silu(made))
        return out


class Rings(nn.Module):
    """Blocks one after another, a frame at a time."""

    def __init__(self, blocks: Blocks, rows: int) -> None:
        super().__init__()
        self.rings = nn.ModuleList(Ring(b, rows) for b in blocks.blocks if isinstance(b, Block))

    def forward(self, x: Tensor, rows: Tensor, now: Tensor) -> Tensor:
        """(n, width) -> the same shape."""
        for ring in self.rings:
            x = ring(x, rows, now)
        return x

    def reset(self, row: int) -> None:
        """Forget what a row has heard."""
        for ring in self.rings:
            assert isinstance(ring, Ring)
            ring.held[row] = 0


@dataclass
class DeviceBank:
    """The banks of all rows on the device, and which of their voices these are."""

    keys: Tensor  # (rows + 1, heads, content, frames)
    values: Tensor  # (rows + 1, width, frames)
    shapes: Tensor  # (rows + 1, BANDS, frames)
    bias: Tensor  # (rows + 1, frames)
    version: Int  # (rows,)

    def follow(self, banks: Banks) -> None:
        """Fetch the voices that have changed."""
        for row in np.flatnonzero(self.version != banks.version):
            for mine, theirs in (
                (self.keys, banks.keys),
                (self.values, banks.values),
                (self.shapes, banks.shapes),
                (self.bias, banks.bias),
            ):
                mine[row].copy_(torch.from_numpy(theirs[row]))
            self.version[row] = banks.version[row]

    def read(self, rows: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """(n, heads, content) -> read values (n, width) and mean shapes (n, BANDS)."""
        scores = torch.einsum("nhc,nhcm->nhm", queries, self.keys[rows]) + self.bias[rows][:, None]
        share = torch.softmax(scores.float(), -1).to(queries.dtype)
        heads = queries.shape[1]
        values = self.values[rows].view(len(rows), heads, -1, self.values.shape[-1])
        read = torch.einsum("nhm,nhdm->nhd", share, values).flatten(1)
        return read, torch.einsum("nm,nbm->nb", share[:, 0], self.shapes[rows])


class DeviceMemory:
    """Everything of a batch of streams that is on the device, and the recorded step."""

    def __init__(
        self, net: NativeNet, rows: int, device: torch.device, dtype: torch.dtype, graphs: bool = True
    ) -> None:
        self._net, self._device, self._dtype = net, device, dtype
        self._encoder = Rings(net.encoder.body, rows).to(device, dtype)
        self._decoder = Rings(net.decoder.body, rows).to(device, dtype)
        self._frame = torch.zeros(rows + 1, dtype=torch.int64, device=device)
        size = net.size
        self._banks = tuple(self._bank(rows) for _ in range(2))
        self._parts = torch.zeros(rows + 1, 2, device=device)
        self._summary = torch.zeros(rows + 1, size.voice, device=device, dtype=dtype)
        self._scale = torch.ones(rows + 1, 2, BANDS, device=device)
        self._offset = torch.zeros(rows + 1, 2, BANDS, device=device)
        self._version = np.full(rows, -1, np.int64)
        self._alone = Replay(partial(self._step, False), INPUTS, rows, device, graphs)
        self._blended = Replay(partial(self._step, True), INPUTS, rows, device, graphs)
        for step in (self._alone, self._blended):
            step.record(rows)

    def _bank(self, rows: int) -> DeviceBank:
        size = self._net.size

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(rows + 1, *shape, BANK_FRAMES, device=self._device, dtype=self._dtype)

        version = np.full(rows, -1, np.int64)
        return DeviceBank(zeros(size.heads, size.content), zeros(size.width), zeros(BANDS), zeros(), version)

    def reset(self, row: int) -> None:
        """Forget what a row has heard."""
        for rings in (self._encoder, self._decoder):
            rings.reset(row)
        self._frame[row] = 0

    def follow(self, voices: NativeVoices) -> None:
        """Fetch what has changed of the targets."""
        for mine, theirs in zip(self._banks, voices.banks, strict=True):
            mine.follow(theirs)
        for row in np.flatnonzero(self._version != voices.version):
            self._parts[row].copy_(torch.from_numpy(voices.parts[:, row].copy()))
            self._summary[row].copy_(voices.summary[row])
            self._scale[row].copy_(voices.scale[row])
            self._offset[row].copy_(voices.offset[row])
            self._version[row] = voices.version[row]

    def render(self, rows: Int, inputs: Tensor, blended: bool) -> Tensor:
        """Shapes (n, BANDS) of n `rows` from inputs (n, INPUTS)."""
        step = self._blended if blended else self._alone
        return step(torch.from_numpy(rows), inputs)

    def _step(self, blended: bool, rows: Tensor, inputs: Tensor) -> Tensor:
        net, dtype = self._net, self._dtype
        shape, average = inputs[:, :BANDS], inputs[:, BANDS : 2 * BANDS]
        level, f0, ratio = inputs[:, 2 * BANDS :].unbind(1)
        now = self._frame[rows]
        heard = net.encoder.first(encoder_inputs(shape, level, f0, average).to(dtype))
        content = net.encoder.finish(self._encoder(heard, rows, now))
        pitch = pitch_features(f0 * ratio).to(dtype)
        queries = net.reader.queries(content, pitch)
        read, mean = self._banks[0].read(rows, queries)
        parts = self._parts[rows].to(dtype)
        read, mean = parts[:, :1] * read, parts[:, :1] * mean
        if blended:
            second, second_mean = self._banks[1].read(rows, queries)
            read, mean = read + parts[:, 1:] * second, mean + parts[:, 1:] * second_mean
        said = decoder_inputs(content, level.to(dtype), pitch, read, mean, self._summary[rows])
        out = net.decoder.finish(self._decoder(net.decoder.first(said), rows, now), mean)
        self._frame[rows] = now + 1
        kind = (f0 > 0).long()
        return finished(out.float(), self._scale[rows, kind], self._offset[rows, kind], f0)


class DeviceEnvelopes:
    """The network on a device, for all rows of a step at once.

    Args:
        net: what was trained; it is copied.
        device: "cuda", or for tests "cpu".
        dtype: what it computes in: bfloat16 on a GPU.
        graphs: replay recorded graphs on a GPU.
    """

    together = True
    trouble: str | None = None

    def __init__(
        self, net: NativeNet, device: str, dtype: torch.dtype = torch.bfloat16, graphs: bool = True
    ) -> None:
        self._graphs = graphs
        self._device, self._dtype = torch.device(device), dtype
        self._net = copy.deepcopy(net).to(self._device, dtype)

    def open(self, rows: int) -> DeviceMemory:
        """Allocate what `rows` streams remember."""
        return DeviceMemory(self._net, rows, self._device, self._dtype, self._graphs)

    def render(
        self,
        memory: DeviceMemory,
        rows: Int,
        frames: Frames,
        ratio: NDArray[np.float64],
        voices: NativeVoices,
    ) -> Float:
        """Shapes (n, BANDS) that the targets of the n `rows` would have now, `ratio` (rows,) times higher."""
        beside = np.stack((frames.level[rows], frames.f0[rows], ratio[rows].astype(np.float32)), 1)
        inputs = torch.from_numpy(np.concatenate((frames.shape[rows], frames.average[rows], beside), 1))
        with torch.inference_mode():
            memory.follow(voices)
            blended = bool((voices.parts[1, rows] > 0).any())
            return np.asarray(memory.render(rows, inputs, blended).numpy())
