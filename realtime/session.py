"""One singer's live session: what the engine keeps of it, and where its output goes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol

from pipeline.converters.base import Controls
from pipeline.voice import Voice
from realtime.inbox import Inbox
from realtime.stats import Window


class Listener(Protocol):
    """Who hears a session; called on the event loop."""

    def on_block(self, block: Block) -> None:
        """A block has been converted."""

    def on_failure(self, message: str) -> None:
        """The session cannot go on."""


class Block:
    """One converted block on its way out."""

    __slots__ = ("arrival", "f0_in_hz", "f0_out_hz", "level_in", "level_out", "pcm", "position", "session")

    def __init__(
        self,
        session: Session,
        position: int,
        pcm: bytes,
        arrival: float,
        f0_in_hz: float,
        f0_out_hz: float,
        level_in: float,
        level_out: float,
    ) -> None:
        self.session = session
        self.position = position  # of the captured sample that the first one renders
        self.pcm = pcm
        self.arrival = arrival  # when the last captured sample of the block came, by the engine's clock
        self.f0_in_hz = f0_in_hz
        self.f0_out_hz = f0_out_hz
        self.level_in = level_in  # mean squares
        self.level_out = level_out


class Session:
    """A row of the engine, as the event loop sees it. Made by `Engine.open_session`."""

    def __init__(
        self,
        *,
        converter: str,
        row: int,
        delay: int,
        inbox: Inbox,
        listener: Listener,
        voice: Voice | None,
        controls: Controls,
        clock: Callable[[], float],
    ) -> None:
        self.session_id = uuid.uuid4().hex
        self.converter = converter
        self.row = row
        self.delay = delay
        self.inbox = inbox
        self.listener = listener
        self.voice = voice
        self.controls = controls
        self.clock = clock
        self.closed = False
        self.added = Window()  # seconds
        self.blocks = 0
        self.restarts_seen = 0

    def handed_over(self, block: Block) -> float:
        """Note that a block has gone to the socket; returns the server-added delay in seconds."""
        added = self.clock() - block.arrival
        self.added.add(added)
        return added
