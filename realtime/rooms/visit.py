"""One member's line to a room: the order of messages, whatever carries them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from realtime import protocol
from realtime.errors import LiveError, ProtocolError, RoomError
from realtime.rooms import messages
from realtime.rooms.member import Line, Member
from realtime.rooms.room import Room
from realtime.rooms.rooms import Rooms
from realtime.sessions import Sessions

MOST_PER_S = 50.0  # messages of a member, on average ...
MOST_AT_ONCE = 200.0  # ... and in one go


class Visit:
    """Reads a member's messages, and answers, over one line (event loop only).

    Args:
        rooms: whose room it is.
        room: that the line leads to.
        sessions: the live sessions of this process.
        line: to the member.
        song_is_there: whether the song of that id can still be fetched.
    """

    def __init__(
        self,
        rooms: Rooms,
        room: Room,
        sessions: Sessions,
        line: Line,
        song_is_there: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._rooms, self._room, self._sessions = rooms, room, sessions
        self._line = line
        self._song_is_there = song_is_there
        self.member: Member | None = None
        self.ended = False
        self._allowed, self._at = MOST_AT_ONCE, rooms.clock()

    async def receive(self, data: bytes) -> None:
        """Act on one message; problems are answered with `error`, and fatal ones end the visit."""
        if self.ended or self._room.closed:
            return
        try:
            self._count()
            message = messages.read(data)
            if self.member is None:
                self._join(message)
            elif self.member.line is self._line:
                await self._act(self.member, message)
        except LiveError as problem:
            self.report(problem)
        self._rooms.arm()

    def report(self, problem: LiveError) -> None:
        """Tell the member about a problem, and hang up if it is fatal."""
        self._send(
            "error",
            code=problem.code,
            message=problem.message,
            suggestions=problem.suggestions,
            fatal=problem.fatal,
        )
        if problem.fatal:
            self.lose()

    def lose(self) -> None:
        """The line is lost; the member may come back."""
        if self.ended:
            return
        self.ended = True
        self._line.finish()
        if self.member is not None and not self._room.closed:
            self._room.lose(self.member, self._line)
        self._rooms.sweep()

    def _count(self) -> None:
        """One message more: each may reach everybody in the room."""
        now = self._rooms.clock()
        self._allowed = min(MOST_AT_ONCE, self._allowed + MOST_PER_S * (now - self._at)) - 1.0
        self._at = now
        if self._allowed < 0.0:
            raise ProtocolError("too_fast", f"more than {MOST_PER_S:g} messages a second", fatal=True)

    def _join(self, message: messages.Message) -> None:
        if not isinstance(message, messages.Join):
            raise ProtocolError("unexpected_message", "nobody is here yet", "send 'join' first")
        if message.version != protocol.VERSION:
            raise ProtocolError(
                "unsupported_version",
                f"this server speaks version {protocol.VERSION}, not {message.version}",
                "reload the page",
                fatal=True,
            )
        self.member = self._room.join(message.name, message.role, self._line, message.token)
        self._send("joined", you=self.member.member_id, token=self.member.token, now_ms=self._now_ms())
        self._room.tell()

    async def _act(self, member: Member, message: messages.Message) -> None:
        room = self._room
        if isinstance(message, messages.Ping):
            dropped = member.dropped + self._line.dropped
            self._send("pong", t=message.t, now_ms=self._now_ms(), dropped=dropped)
        elif isinstance(message, messages.Leave):
            self.ended = True
            room.leave(member)
        elif not member.sings:
            raise RoomError("listeners_only_listen", "listeners only listen", "join as a singer")
        elif isinstance(message, messages.Sing):
            self._sing(member, message.session)
        elif isinstance(message, messages.Ready):
            if member.ready != message.ready:
                member.ready = message.ready
                room.tell()
        elif isinstance(message, messages.TakePart):
            if member.part != message.part:
                member.part = message.part
                room.tell()
        elif isinstance(message, messages.Anchor):
            room.anchor(member, message.run, message.position)
        elif isinstance(message, messages.Score):
            room.score(member, message.score, message.streak)
        elif isinstance(message, messages.Start):
            await self._start(member)
        elif isinstance(message, messages.Halt):
            room.stop()
        elif isinstance(message, messages.CloseRoom):
            if member is not room.host:
                raise RoomError("not_host", "the host closes the room", "leave it instead")
            room.close("room_closed", "the host has closed the room")
            self._rooms.sweep()
        else:
            raise ProtocolError("unexpected_message", "you have joined already", "send anything but 'join'")

    def _sing(self, member: Member, token: str) -> None:
        stay = self._sessions.find(token)
        if stay is None:
            raise RoomError(
                "session_not_found",
                "the process that has this room does not have that live session",
                "ask for POST /api/v1/karaoke/rooms/{code}/singer, then begin the session anew",
            )
        self._room.sing(member, stay)

    async def _start(self, member: Member) -> None:
        if not await self._song_is_there(self._room.stage.song_id):
            self._rooms.end_song(self._room.stage.song_id)
        elif not self._room.closed:
            self._room.start(member)

    def _now_ms(self) -> float:
        return 1000 * self._rooms.clock()

    def _send(self, kind: str, **fields: Any) -> None:
        self._line.send(protocol.encode(kind, **fields))
