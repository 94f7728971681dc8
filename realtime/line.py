"""What a conversation needs of the line that carries it."""

from __future__ import annotations

from typing import Protocol

from realtime import protocol
from realtime.session import Block


class Outbox(Protocol):
    """The way to the client; no call waits."""

    dropped: int

    def send(self, message: bytes) -> None:
        """Send a message that must arrive."""

    def send_audio(self, block: Block, seq: int) -> None:
        """Send a converted block, or drop the oldest when the client does not keep up."""

    def finish(self) -> None:
        """Hang up once all that must arrive is sent."""


class Track(Protocol):
    """An audio track both ways, beside the messages of the same line."""

    async def begin(self, theirs: protocol.Mark) -> protocol.Mark:
        """Carry the session's audio from now on.

        Args:
            theirs: where the client's track is.

        Returns:
            Where the server's is.
        """

    def leave(self) -> None:
        """Let the audio go by messages.

        Raises:
            ProtocolError: the line has no channel for it.
        """
