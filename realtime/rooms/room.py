"""A room: who is in it, which song it is about, and what passes between its members."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from realtime import protocol
from realtime.errors import RoomError, RoomFull
from realtime.rooms.codes import spoken
from realtime.rooms.member import PARTS, Line, Member, Role
from realtime.rooms.sound import Sound
from realtime.sessions import Stay

COUNTDOWN_S = 4.0  # from the word of the host to the song's first sample
TAIL_S = 5.0  # after the song's last sample, for what is still on its way

_TAKEN_OVER = protocol.encode(
    "error",
    code="taken_over",
    message="you are in this room by another line, in another tab say",
    suggestions=["go on there"],
    fatal=True,
)


@dataclass(frozen=True)
class Stage:
    """The song of a room, as it is played there.

    Attributes:
        seconds: at that tempo.
        semitones: by which it is played higher.
        tempo: percent.
    """

    song_id: str
    title: str
    seconds: float
    semitones: int = 0
    tempo: int = 100


class Room:
    """Members and what they hear of each other (event loop only).

    Args:
        code: that opens it.
        stage: the song.
        clock: seconds, monotonic; its time is what all members start by.
        listeners: that may be there at most.
        away_s: that a member whose line was lost may take to come back.
        lasting_s: until it is closed, whoever is there.
        idle_s: that it is kept while nobody is there.
        on_gone: is told who has gone for good.
    """

    def __init__(
        self,
        code: str,
        stage: Stage,
        clock: Callable[[], float],
        *,
        listeners: int,
        away_s: float,
        lasting_s: float,
        idle_s: float,
        on_gone: Callable[[Member], None] = lambda member: None,
    ) -> None:
        self.code, self.stage = code, stage
        self.members: list[Member] = []
        self.host: Member | None = None
        self.host_token = secrets.token_urlsafe()  # for whoever opened it to come in with, once
        self.run = 0  # how many times the song was begun
        self.starts_at: float | None = None  # of the run at hand
        self.closed = False
        self.dropped = 0  # messages of audio that members who have left were too slow for
        self._clock, self._on_gone = clock, on_gone
        self._listeners, self._away_s, self._idle_s = listeners, away_s, idle_s
        self._expires_at = clock() + lasting_s
        self._host_until: float | None = clock() + away_s  # so long a place is kept for the host
        self._empty_since = clock()
        self._sound = Sound(self.members)

    @property
    def singers(self) -> list[Member]:
        """Those who sing, by their places."""
        return sorted((m for m in self.members if m.sings), key=lambda member: member.place or 0)

    def singer_of(self, token: str) -> Member | None:
        """The singer who has a token."""
        return next((m for m in self.singers if _same(m.token, token)), None)

    @property
    def lasts_s(self) -> float:
        """Seconds until it is closed in any case."""
        return max(0.0, self._expires_at - self._clock())

    @property
    def due(self) -> float:
        """When `tick` has something to do next."""
        moments = [self._expires_at]
        if self._host_until is not None:
            moments.append(self._host_until)
        moments += [member.until for member in self.members if member.line is None]
        if not self.members:
            moments.append(self._empty_since + self._idle_s)
        if self.starts_at is not None:
            moments.append(self.starts_at + self.stage.seconds + TAIL_S)
        return min(moments)

    def tick(self) -> None:
        """Do what is due: places are given up, the song is over, the room is closed."""
        now = self._clock()
        for member in [m for m in self.members if m.line is None and m.until <= now]:
            self.leave(member)
        if self._find_host():
            self.tell()
        if self.starts_at is not None and self.starts_at + self.stage.seconds + TAIL_S <= now:
            self.stop()
        if now >= self._expires_at:
            self.close("room_expired", "the room was open for as long as rooms are")
        elif not self.members and now >= self._empty_since + self._idle_s:
            self.close("room_expired", "nobody was there any more")

    def join(self, name: str, role: Role, line: Line, token: str | None = None) -> Member:
        """Let somebody in, or back in.

        Args:
            name, role: of who comes; they mean nothing to who comes back.
            line: that leads there from now on.
            token: of a member, or the host's.

        Raises:
            RoomFull: there is no place for one more of that role.
        """
        for member in self.members:
            if _same(member.token, token):
                self._come_back(member, line)
                return member
        self._find_host()
        is_host = _same(self.host_token, token)
        if role is Role.SINGER:
            place = self._free_place(0 if is_host or self._host_until is None else 1)
            member = Member(name, role, line, place=place, part=place)
        else:
            if sum(not member.sings for member in self.members) >= self._listeners:
                raise RoomFull(role.value, self._listeners)
            member = Member(name, role, line)
        self.members.append(member)
        if is_host:
            self._host_until, self.host_token = None, secrets.token_urlsafe()
            if self.host is None and member.sings:
                self.host = member
        self._find_host()
        return member

    def _find_host(self) -> bool:
        """Let the first singer be host where who opened the room never came to sing; whether that is news."""
        if self._host_until is not None and self._clock() >= self._host_until:
            self._host_until = None
        if self.host is not None or self._host_until is not None:
            return False
        self.host = next((member for member in self.members if member.sings), None)
        return self.host is not None

    def _free_place(self, kept: int) -> int:
        taken = {member.place for member in self.singers}
        free = [place for place in range(PARTS) if place not in taken]
        if len(free) <= kept:
            raise RoomFull(Role.SINGER.value, PARTS)
        return free[kept]

    def _come_back(self, member: Member, line: Line) -> None:
        before, member.line = member.line, line
        if before is not None:
            member.dropped += before.dropped
            before.send(_TAKEN_OVER)
            before.finish()

    def lose(self, member: Member, line: Line) -> None:
        """The line of a member is lost; the place is kept for a while."""
        if member.line is not line:
            return  # another one leads there already
        member.dropped += line.dropped
        member.line, member.ready = None, False
        member.until = self._clock() + self._away_s
        self.tell()

    def leave(self, member: Member) -> None:
        """Somebody goes for good."""
        self.members.remove(member)
        self._sound.release(member)
        if member.line is not None:
            member.dropped += member.line.dropped
            member.line.finish()
            member.line = None
        self.dropped += member.dropped
        if member is self.host:
            self.host = next(iter(self.singers), None)
        if not self.singers:
            self.starts_at = None
        if not self.members:
            self._empty_since = self._clock()
        self._on_gone(member)
        self.tell()

    def sing(self, member: Member, stay: Stay) -> None:
        """A live session is a singer's from now on."""
        self._sound.take(member, stay)
        self.tell()

    def anchor(self, member: Member, run: int, position: int) -> None:
        """Say which captured sample of a singer belongs to the song's first one, in a run of the song."""
        if self.starts_at is None or run != self.run or member.place is None:
            return  # that was another one
        samples = round(self.stage.seconds * protocol.SAMPLE_RATE)
        self._sound.relay(member, member.place, position, samples)

    def start(self, member: Member) -> None:
        """Begin the song for all.

        Raises:
            RoomError: who asks is not the host, or somebody is not ready.
        """
        if member is not self.host:
            raise RoomError("not_host", "the host begins the song", "say that you are ready")
        if self.starts_at is not None:
            raise RoomError("already_singing", "the song is on", "stop it first")
        waiting = [singer.name for singer in self.singers if not singer.is_ready]
        if waiting:
            raise RoomError("not_ready", f"not ready: {', '.join(waiting)}", "all singers press Sing first")
        for singer in self.singers:
            singer.score = singer.streak = 0
            singer.anchor = None
        self._sound.stop()
        self.run += 1
        self.starts_at = self._clock() + COUNTDOWN_S
        self.tell()

    def stop(self) -> None:
        """The song is over."""
        if self.starts_at is None:
            return
        self._sound.stop()
        self.starts_at = None
        for singer in self.singers:
            singer.ready = False
        self.tell()

    def score(self, member: Member, points: int, streak: int) -> None:
        """Show the others how a singer does."""
        member.score, member.streak = points, streak
        message = protocol.encode("score", singer=member.place, score=points, streak=streak)
        for other in self.members:
            if other is not member and other.line is not None:
                other.line.send(message)

    def described(self) -> dict[str, Any]:
        """The state of the room, as all may know it."""
        stage = self.stage
        return {
            "code": spoken(self.code),
            "song_id": stage.song_id,
            "title": stage.title,
            "seconds": stage.seconds,
            "semitones": stage.semitones,
            "tempo": stage.tempo,
            "run": self.run,
            "starts_at_ms": None if self.starts_at is None else 1000 * self.starts_at,
            "lasts_s": round(self.lasts_s),
            "listeners_most": self._listeners,
            "members": [member.described(self.host) for member in self.members],
        }

    def tell(self) -> None:
        """Let all know the state of the room."""
        message = protocol.encode("room", **self.described())
        for member in self.members:
            if member.line is not None:
                member.line.send(message)

    def close(self, code: str, why: str) -> None:
        """Send everybody away."""
        if self.closed:
            return
        self.closed = True
        message = protocol.encode("closed", code=code, message=why)
        for member in self.members:
            self._sound.release(member)
            if member.line is not None:
                member.dropped += member.line.dropped
                member.line.send(message)
                member.line.finish()
            self.dropped += member.dropped
        gone = self.members.copy()
        self.members.clear()
        for member in gone:
            self._on_gone(member)
        self.starts_at = None


def _same(secret: str, told: str | None) -> bool:
    return told is not None and secrets.compare_digest(secret.encode(), told.encode())
