"""What the targets would look like now: the network, a frame at a time, for any rows of a batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.content import HEARD, Past, StreamedBlocks, encoder_inputs
from pipeline.converters.native.frames import Frames
from pipeline.converters.native.network import NativeNet, decoder_inputs, pitch_features
from pipeline.converters.native.voices import NativeVoices

# Envelopes are sharpened over frequency: grains are two periods long, and filters short, which blurs them. What
# is sung high is sharpened less: harmonics stand alone there, and words suffer.
SHARPEN, SHARPEN_HIGH = 3.0, 1.0
SPOKEN_HZ, HIGH_HZ = 200.0, 350.0

Float = NDArray[np.float32]
Int = NDArray[np.int64]


class Renderer(Protocol):
    """The network, wherever it runs."""

    @property
    def together(self) -> bool:
        """Whether all rows of a step must be asked for in one call."""

    @property
    def trouble(self) -> str | None:
        """Why it runs elsewhere than it should, if it does."""

    def open(self, rows: int) -> Any:
        """Allocate what `rows` streams remember; it has a `reset(row)`."""

    def render(
        self, memory: Any, rows: Int, frames: Frames, ratio: NDArray[np.float64], voices: NativeVoices
    ) -> Float:
        """Shapes (n, BANDS) that the targets of the n `rows` would have now, `ratio` (rows,) times higher."""


@dataclass
class Memory:
    """What the network remembers of each row."""

    heard: Past  # of the encoder
    said: Past  # of the decoder

    def reset(self, row: int) -> None:
        """Forget what a row has heard."""
        self.heard.reset(row)
        self.said.reset(row)


class Envelopes:
    """The network on the CPU. Different rows may be asked for by different threads at once.

    Args:
        net: what was trained.
    """

    together = False  # rows need not be asked for all at once
    trouble: str | None = None

    def __init__(self, net: NativeNet) -> None:
        self._net = net
        self._encoder = StreamedBlocks(net.encoder.body)
        self._decoder = StreamedBlocks(net.decoder.body)

    def open(self, rows: int) -> Memory:
        """Allocate what `rows` streams remember."""
        return Memory(self._encoder.open(rows), self._decoder.open(rows))

    def render(
        self, memory: Memory, rows: Int, frames: Frames, ratio: NDArray[np.float64], voices: NativeVoices
    ) -> Float:
        """Shapes (n, BANDS) that the targets of the n `rows` would have now, `ratio` (rows,) times higher."""
        net, index = self._net, torch.from_numpy(rows)
        shape, average, level, f0 = (
            torch.from_numpy(a[rows]) for a in (frames.shape, frames.average, frames.level, frames.f0)
        )
        with torch.inference_mode():
            heard = net.encoder.first(encoder_inputs(shape, level, f0, average))
            content = net.encoder.finish(self._encoder.step(heard, memory.heard, rows))
            pitch = pitch_features(f0 * torch.from_numpy(ratio[rows]).float())
            read, mean = voices.read(rows, net.reader.queries(content, pitch))
            inputs = decoder_inputs(content, level, pitch, read, mean, voices.summary[index])
            said = self._decoder.step(net.decoder.first(inputs), memory.said, rows)
            kind = (f0 > 0).long()
            scale, offset = voices.scale[index, kind], voices.offset[index, kind]
            return np.asarray(finished(net.decoder.finish(said, mean), scale, offset, f0).numpy())


def finished(out: Tensor, scale: Tensor, offset: Tensor, f0_hz: Tensor) -> Tensor:
    """From what the network says, (n, BANDS), to shapes for filters: calibrated to the voice, and sharpened.

    `f0_hz` (n,) is what the singer sings.
    """
    wanted = torch.addcmul(offset, out - out[:, :HEARD].mean(1, keepdim=True), scale)
    wide = torch.cat((wanted[:, :1], wanted, wanted[:, -1:]), 1)
    blurred = 0.25 * wide[:, :-2] + 0.5 * wanted + 0.25 * wide[:, 2:]
    high = torch.log2(f0_hz.clamp(min=1.0) / SPOKEN_HZ) / math.log2(HIGH_HZ / SPOKEN_HZ)
    sharpen = SHARPEN + (SHARPEN_HIGH - SHARPEN) * high.clamp(0.0, 1.0)
    return wanted + sharpen[:, None] * (wanted - blurred)
