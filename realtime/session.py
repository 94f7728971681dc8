"""One singer's live session: what the engine keeps of it, and where its output goes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pipeline.converters.base import Controls
from pipeline.converters.blend import Blend
from pipeline.voice import Target
from realtime.inbox import Inbox, Taken
from realtime.stats import Window


class Listener(Protocol):
    """Who hears a session; called on the event loop."""

    def on_block(self, block: Block) -> None:
        """A block has been converted."""

    def on_failure(self, message: str) -> None:
        """The session cannot go on."""


@dataclass(slots=True)
class Block:
    """One converted block on its way out."""

    session: Session
    position: int  # of the captured sample that the first one renders
    pcm: bytes  # 16-bit little-endian mono
    arrival: float  # when the last captured sample of the block came, by the engine's clock
    f0_in_hz: float  # 0 when unvoiced
    f0_out_hz: float
    level_in: float  # mean squares
    level_out: float


class Session:
    """A row of the engine, as the event loop sees it. Made by `Engine.open_session`."""

    def __init__(
        self,
        *,
        converter: str,
        row: int,
        delay: int,
        block: int,
        inbox: Inbox,
        listener: Listener,
        voice: Target | None,
        blend: Blend | None,
        controls: Controls,
        clock: Callable[[], float],
    ) -> None:
        self.session_id = uuid.uuid4().hex
        self.converter = converter
        self.row = row
        self.delay = delay
        self.block = block
        self.inbox = inbox
        self.listener = listener
        self.voice = voice
        self.blend = blend
        self.controls = controls
        self.clock = clock
        self.audience: Callable[[Block], None] | None = None  # who hears its blocks besides the singer
        self.closed = False
        self.parked = False  # without a line to its singer, who may come back
        self.added = Window()  # seconds
        self.blocks = 0
        self.generation = 0  # of the captured stream, and ...
        self.taken = Taken(0, 0, 0.0)  # ... the block at hand: the compute thread's

    def handed_over(self, block: Block) -> float:
        """Note that a block has gone to the socket; returns the server-added delay in seconds."""
        added = self.clock() - block.arrival
        self.added.add(added)
        return added
