"""What members of a room say: MessagePack maps in, typed messages out. Described in docs/protocol.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from realtime.protocol import VERSION, integer_field, malformed, text_field, unpack
from realtime.rooms.member import PARTS, Role

LONGEST_NAME = 40
MOST_POINTS = 10_000
MOST_STREAK = 100_000
FARTHEST = -(2**53)  # a singer may begin in the middle of a song


@dataclass(frozen=True)
class Join:
    """The first message on a line."""

    version: int
    role: Role
    name: str
    token: str | None = field(repr=False)


@dataclass(frozen=True)
class Ping:
    """Asks for the server's time; `t` comes back unchanged."""

    t: float


@dataclass(frozen=True)
class Sing:
    """By which live session a singer sings: its token."""

    session: str = field(repr=False)


@dataclass(frozen=True)
class Ready:
    """Whether the song may begin for a singer."""

    ready: bool


@dataclass(frozen=True)
class TakePart:
    """Which part of the song a singer sings."""

    part: int


@dataclass(frozen=True)
class Anchor:
    """Which captured sample of the live session belongs to the song's first one, in a run of the song."""

    run: int
    position: int


@dataclass(frozen=True)
class Score:
    """How a singer does."""

    score: int
    streak: int


@dataclass(frozen=True)
class Start:
    """Begin the song."""


@dataclass(frozen=True)
class Halt:
    """End the song."""


@dataclass(frozen=True)
class Leave:
    """Go for good."""


@dataclass(frozen=True)
class CloseRoom:
    """Send everybody away."""


Message = Join | Ping | Sing | Ready | TakePart | Anchor | Score | Start | Halt | Leave | CloseRoom


def _join(fields: dict[str, Any]) -> Join:
    role = text_field(fields, "role")
    if role not in list(Role):
        raise malformed("'role' must be 'singer' or 'listener'")
    name = "".join(c for c in text_field(fields, "name", "") if c.isprintable()).strip()[:LONGEST_NAME]
    token = text_field(fields, "token") if fields.get("token") is not None else None
    return Join(integer_field(fields, "version"), Role(role), name or "Somebody", token)


def _ping(fields: dict[str, Any]) -> Ping:
    t = fields.get("t")
    if isinstance(t, bool) or not isinstance(t, int | float):
        raise malformed("'t' must be a number")
    return Ping(float(t))


def _flag(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise malformed(f"{name!r} must be true or false")
    return value


def _part(fields: dict[str, Any]) -> TakePart:
    part = integer_field(fields, "part")
    if part >= PARTS:
        raise malformed(f"'part' must be below {PARTS}")
    return TakePart(part)


def _score(fields: dict[str, Any]) -> Score:
    score, streak = integer_field(fields, "score"), integer_field(fields, "streak")
    if score > MOST_POINTS or streak > MOST_STREAK:
        raise malformed(f"'score' must be at most {MOST_POINTS}, 'streak' {MOST_STREAK}")
    return Score(score, streak)


_READERS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "join": _join,
    "ping": _ping,
    "sing": lambda fields: Sing(text_field(fields, "session")),
    "ready": lambda fields: Ready(_flag(fields, "ready")),
    "part": _part,
    "anchor": lambda fields: Anchor(integer_field(fields, "run"), integer_field(fields, "position", FARTHEST)),
    "score": _score,
    "start": lambda fields: Start(),
    "stop": lambda fields: Halt(),
    "leave": lambda fields: Leave(),
    "close": lambda fields: CloseRoom(),
}


def read(data: bytes) -> Message:
    """Read one message of a member.

    Raises:
        ProtocolError: anything but a message of the protocol, whatever the bytes.
    """
    kind, fields = unpack(data)
    if kind not in _READERS:
        raise malformed(f"unknown message type {kind!r:.60}")
    try:
        return _READERS[kind](fields)
    except OverflowError as problem:
        raise malformed(str(problem)) from problem


__all__ = ["VERSION", "Message", "read"]
