"""One guest of a room: who it is, and the line that leads there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from realtime.sessions import Stay

PARTS = 2  # of a duet, and so many may sing


class Role(StrEnum):
    """What somebody is there for."""

    SINGER = "singer"
    LISTENER = "listener"


class Line(Protocol):
    """The way to a member; no call waits."""

    dropped: int

    def send(self, message: bytes) -> None:
        """Send a message that must arrive."""

    def send_audio(self, message: bytes) -> None:
        """Send what is worth nothing when it is late; the oldest gives way when the member does not keep up."""

    def finish(self) -> None:
        """Hang up once all that must arrive is sent."""


@dataclass(eq=False)
class Member:
    """Somebody in a room, over all the lines that lead there, one after the other.

    Attributes:
        place: 0 or 1 for singers; it is free again when they leave.
        part: of the song, 0 or 1.
        line: None while it is lost.
        until: when the place is given up, while the line is lost.
        stay: the live session that a singer sings by.
        anchor: its captured sample that belongs to the song's first one, in the run at hand.
        token: to come back with; a secret.
    """

    name: str
    role: Role
    line: Line | None
    place: int | None = None
    part: int = 0
    ready: bool = False
    score: int = 0
    streak: int = 0
    until: float = 0.0
    stay: Stay | None = None
    anchor: int | None = None
    dropped: int = 0  # on the lines that it had before
    member_id: str = field(default_factory=lambda: secrets.token_hex(4))
    token: str = field(default_factory=secrets.token_urlsafe, repr=False)

    @property
    def sings(self) -> bool:
        """Whether it is there to sing."""
        return self.role is Role.SINGER

    @property
    def is_ready(self) -> bool:
        """Whether the song may begin for it: the page says so, and its session is there."""
        return self.ready and self.stay is not None and not self.stay.session.closed

    def described(self, host: Member | None) -> dict[str, Any]:
        """What everybody in the room may know of it."""
        known: dict[str, Any] = {
            "id": self.member_id,
            "name": self.name,
            "role": self.role.value,
            "host": self is host,
            "present": self.line is not None,
        }
        if self.sings:
            voice = self.stay.voice_id if self.stay is not None else None
            known |= {
                "place": self.place,
                "part": self.part,
                "ready": self.is_ready,
                "voice": voice,
                "score": self.score,
                "streak": self.streak,
            }
        return known
