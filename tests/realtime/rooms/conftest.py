from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgpack
import pytest

from realtime.rooms.rooms import Bounds, Rooms
from tests.live import Clock


@dataclass
class Ear:
    """A line that keeps everything."""

    dropped: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    audio: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False

    def send(self, message: bytes) -> None:
        assert not self.finished
        self.messages.append(msgpack.unpackb(message))

    def send_audio(self, message: bytes) -> None:
        self.audio.append(msgpack.unpackb(message))

    def finish(self) -> None:
        self.finished = True

    def last(self, kind: str) -> dict[str, Any]:
        """The newest message of a kind."""
        return [message for message in self.messages if message["type"] == kind][-1]


BOUNDS = Bounds(rooms=2, listeners=2, hours=1.0, away_s=30.0)


@pytest.fixture
async def rooms(clock: Clock) -> Rooms:
    return Rooms(BOUNDS, 5, clock)
