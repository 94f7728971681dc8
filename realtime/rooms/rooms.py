"""The rooms of one server process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from realtime.errors import RoomNotFound, TooManyRooms
from realtime.rooms.codes import new_code, read_code
from realtime.rooms.member import Member
from realtime.rooms.room import Room, Stage

IDLE_S = 300.0  # that a room is kept while nobody is there


@dataclass(frozen=True)
class Bounds:
    """What rooms may cost.

    Attributes:
        rooms: at a time; 0: none.
        listeners: in each.
        hours: that each is open.
        away_s: that a member whose line was lost may take to come back.
    """

    rooms: int
    listeners: int
    hours: float
    away_s: float


@dataclass(frozen=True)
class RoomStats:
    """Figures of all rooms at one moment.

    Attributes:
        dropped: messages of audio that members were too slow for, in all.
    """

    rooms: int
    singers: int
    listeners: int
    dropped: int


class Rooms:
    """Opens, finds and closes rooms (event loop only).

    Args:
        bounds: for rooms that are opened from now on.
        process: which of several server processes this is.
        clock: seconds, monotonic.

    Attributes:
        on_gone: is told of members who have left for good, or whose room was closed.
    """

    def __init__(self, bounds: Bounds, process: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.bounds = bounds
        self.clock = clock
        self.on_gone: Callable[[Member], None] = lambda member: None
        self._process = process
        self._rooms: dict[str, Room] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._past_dropped = 0
        self._closed = False

    def open(self, stage: Stage) -> Room:
        """Open a room for a song; one that stands empty gives way where there are too many.

        Raises:
            TooManyRooms: all of them are in use.
        """
        self.sweep()
        if len(self._rooms) >= self.bounds.rooms or self._closed:
            empty = next((room for room in self._rooms.values() if not room.members), None)
            if empty is None or self._closed:
                raise TooManyRooms(self.bounds.rooms)
            empty.close("room_expired", "another room took its place")
            self._forget(empty)
        code = new_code(self._process)
        room = Room(
            code,
            stage,
            self.clock,
            listeners=self.bounds.listeners,
            away_s=self.bounds.away_s,
            lasting_s=3600 * self.bounds.hours,
            idle_s=IDLE_S,
            on_gone=self._gone,
        )
        self._rooms[code] = room
        self.arm()
        return room

    def get(self, text: str) -> Room:
        """The room of a code, as people write it.

        Raises:
            RoomNotFound: it opens nothing.
        """
        self.sweep()
        code = read_code(text)
        room = None if code is None else self._rooms.get(code)
        if room is None:
            raise RoomNotFound
        return room

    def member(self, code: str, member_id: str) -> Member | None:
        """Somebody in a room."""
        room = self._rooms.get(code)
        return None if room is None else next((m for m in room.members if m.member_id == member_id), None)

    def sings(self, member_id: str) -> bool:
        """Whether somebody of that id is in a room to sing."""
        return any(m.member_id == member_id and m.sings for room in self._rooms.values() for m in room.members)

    def end_song(self, song_id: str) -> None:
        """Close the rooms of a song that is gone."""
        for room in list(self._rooms.values()):
            if room.stage.song_id == song_id:
                room.close("song_gone", "the song of this room was deleted")
        self.sweep()

    def close(self) -> None:
        """Close all of them; none is opened from now on."""
        self._closed = True
        for room in list(self._rooms.values()):
            room.close("shutting_down", "the server is restarting")
        self.sweep()

    def sweep(self) -> None:
        """Do what is due in all rooms, and forget those that are closed."""
        now = self.clock()
        for room in list(self._rooms.values()):
            if not room.closed and room.due <= now:
                room.tick()
            if room.closed:
                self._forget(room)
        self.arm()

    def _gone(self, member: Member) -> None:
        self.on_gone(member)

    def _forget(self, room: Room) -> None:
        self._past_dropped += room.dropped
        self._rooms.pop(room.code, None)

    def arm(self) -> None:
        """Wake up when the next thing is due; to be called after each change of a room."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._rooms:
            wait = max(0.01, min(room.due for room in self._rooms.values()) - self.clock())
            self._timer = asyncio.get_running_loop().call_later(wait, self.sweep)

    def snapshot(self) -> RoomStats:
        """All figures of this moment (any thread)."""
        rooms = list(self._rooms.values())
        members = [member for room in rooms for member in list(room.members)]
        singers = sum(member.sings for member in members)
        dropped = self._past_dropped + sum(room.dropped for room in rooms)
        for member in members:
            line = member.line
            dropped += member.dropped + (0 if line is None else line.dropped)
        return RoomStats(len(rooms), singers, len(members) - singers, dropped)
