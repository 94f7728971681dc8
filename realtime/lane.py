"""A lane: one converter, the rows of its sessions, and one batched step over those that have a block."""

from __future__ import annotations

import logging

import numpy as np
import torch

from kernels.crossfade import power, to_pcm
from pipeline.converters.base import ControlRows, Controls, Converter
from pipeline.converters.blend import Blend
from pipeline.errors import PipelineError
from pipeline.voice import Target
from realtime.session import Block, Session

log = logging.getLogger(__name__)

# what a converter or a voice that is not as it should be can raise; running out of memory is another matter
FAILURES = (ValueError, TypeError, ArithmeticError, LookupError, RuntimeError, PipelineError)


def whole_steps(block: int, hop: int) -> int:
    """The number of samples nearest above `block` that a converter takes at a time."""
    return -(-block // hop) * hop


class Lane:
    """Rows for up to `rows` sessions of one converter.

    The event loop adds and removes sessions and hands out rows; the compute thread sets and steps them.
    """

    def __init__(self, name: str, converter: Converter, rows: int, block: int) -> None:
        block = whole_steps(block, converter.hop)
        self.name = name
        self.block = block
        self.converter = converter
        self.sessions: dict[int, Session] = {}  # by row
        self._state = converter.open(rows)
        self._voices = converter.voice_rows(rows)
        self._controls = ControlRows(rows)
        self._audio = torch.zeros(rows, block)
        self._active = torch.zeros(rows, dtype=torch.bool)
        self._pcm = np.zeros(block, np.int16)
        self._free = list(reversed(range(rows)))

    @property
    def full(self) -> bool:
        """Whether no row is free."""
        return not self._free

    def claim(self) -> int:
        """Take a free row.

        Raises:
            IndexError: none is.
        """
        return self._free.pop()

    def release(self, row: int) -> None:
        """Give a row back."""
        self._free.append(row)

    def warm(self) -> None:
        """Step every row once on silence and forget it, so that everything is compiled."""
        self._audio.zero_()
        self._step(torch.ones_like(self._active))
        to_pcm(self._audio[0].numpy(), self._pcm)
        power(self._audio[0].numpy())
        for row in range(len(self._active)):
            self._state.reset(row)

    def set_row(
        self, row: int, controls: Controls, voice: Target | None, blend: Blend | None, *, reset: bool
    ) -> None:
        """Give a row its controls, its voice unless None, and its blend; `reset` makes a new stream first."""
        if reset:
            self._state.reset(row)
            self._voices.clear(row)
        self._controls.set(row, controls)
        if voice is not None:
            self._voices.set(row, voice)
        if blend is None:
            self._voices.blend(row, None, 0.0)
        else:
            self._voices.blend(row, blend.voice, blend.share)

    def clear_row(self, row: int) -> None:
        """Let go of all that a row has heard and sung with."""
        self._voices.clear(row)
        self._state.reset(row)

    def convert(self) -> tuple[list[Block], dict[Session, str]]:
        """Convert one block of every session that has one; returns the blocks, and who failed and why.

        A step that fails is repeated for each session alone, so that only those that make it fail are lost.
        """
        due = [s for s in list(self.sessions.values()) if not s.closed and s.inbox.ready()]
        if not due:
            return [], {}
        failed: dict[Session, str] = {}
        self._active.zero_()
        for session in due:
            self._load(session)
        try:
            return [
                self._block(session, row) for session, row in zip(due, self._step_rows(due), strict=True)
            ], failed
        except FAILURES:
            log.exception("a step of %s failed for %d sessions; trying each alone", self.name, len(due))
        blocks = []
        for session in due:
            try:
                blocks.append(self._block(session, self._step_rows([session])[0]))
            except FAILURES as problem:
                failed[session] = f"{type(problem).__name__}: {problem}"
        return blocks, failed

    def _load(self, session: Session) -> None:
        session.taken = session.inbox.take(self._audio[session.row].numpy())
        if session.taken.generation != session.generation:
            session.generation = session.taken.generation
            self._state.reset(session.row)

    def _step_rows(self, sessions: list[Session]) -> list[torch.Tensor]:
        self._active.zero_()
        for session in sessions:
            self._active[session.row] = True
        result = self._step(self._active)
        return [result[session.row] for session in sessions]

    def _step(self, active: torch.Tensor) -> torch.Tensor:
        return self.converter.step(self._state, self._audio, self._voices, self._controls, active)

    def _block(self, session: Session, rendered: torch.Tensor) -> Block:
        samples, row = rendered.numpy(), session.row
        to_pcm(samples, self._pcm)
        return Block(
            session=session,
            position=session.taken.position - session.delay,
            pcm=self._pcm.tobytes(),
            arrival=session.taken.arrival,
            f0_in_hz=float(self._state.f0_in_hz[row]),
            f0_out_hz=float(self._state.f0_out_hz[row]),
            level_in=power(self._audio[row].numpy()),
            level_out=power(samples),
        )
