"""The converter that changes nothing: what transport and engine cost by themselves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.converters.base import ControlRows
from pipeline.converters.blend import check_share
from pipeline.voice import Target, Voice


@dataclass
class PassThroughState:
    """Nothing is remembered between blocks."""

    rows: int
    f0_in_hz: Tensor
    f0_out_hz: Tensor

    def reset(self, row: int) -> None:
        """Nothing to forget."""


class AnyVoice:
    """Accepts a target and ignores it."""

    def set(self, row: int, voice: Target) -> None:
        """Ignore the voice."""

    def clear(self, row: int) -> None:
        """Nothing to clear."""

    def blend(self, row: int, voice: Voice | None, share: float) -> None:
        """Ignore the second voice; see `VoiceRows.blend`."""
        check_share(share)


class PassThrough:
    """Returns its input, with no delay."""

    name = "passthrough"
    trouble: str | None = None
    delay = 0

    def __init__(self, sample_rate: int = 48_000, block: int = 480) -> None:
        self.sample_rate = sample_rate
        self.block = block
        self.hop = 1

    def prepare(self, voice: Target) -> None:
        """Everything is here already."""

    def open(self, rows: int) -> PassThroughState:
        """Make the (empty) state of `rows` streams."""
        return PassThroughState(rows, torch.zeros(rows), torch.zeros(rows))

    def voice_rows(self, rows: int) -> AnyVoice:
        """Targets are ignored."""
        return AnyVoice()

    def step(
        self,
        state: PassThroughState,
        audio: Tensor,
        voices: AnyVoice,
        controls: ControlRows,
        active: Tensor,
        f0_hz: Tensor | None = None,
    ) -> Tensor:
        """Return (rows, samples): the input of active rows, zero elsewhere; see `Converter.step`."""
        return torch.where(active[:, None], audio, 0.0)
