"""What can go wrong with a live session, as exceptions that know what to tell the client."""

from __future__ import annotations


class LiveError(Exception):
    """A problem with a live session.

    Attributes:
        code: one of the codes of docs/protocol.md.
        suggestions: what the client can do about it.
        fatal: the session cannot go on.
    """

    def __init__(self, code: str, message: str, *suggestions: str, fatal: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.suggestions = list(suggestions)
        self.fatal = fatal


class ProtocolError(LiveError):
    """A message that the protocol does not allow."""


class ServerFull(LiveError):
    """No room for another session without disturbing those that are on."""

    def __init__(self, reason: str) -> None:
        super().__init__("server_full", f"the server is full: {reason}", "try again in a minute", fatal=True)


class TooManySessions(LiveError):
    """One client has as many sessions as it may."""

    def __init__(self, most: int) -> None:
        sessions = "a live session" if most == 1 else f"{most} live sessions"
        super().__init__(
            "too_many_sessions",
            f"you have {sessions} already",
            "end one of them, in another tab say",
            fatal=True,
        )


class VoiceNotReady(LiveError):
    """A voice that needs what this server does not have."""

    def __init__(self, message: str, *suggestions: str) -> None:
        super().__init__("voice_not_ready", message, *suggestions)


class VoiceNotFound(LiveError):
    """No such voice, or not this user's."""

    def __init__(self, voice_id: str) -> None:
        super().__init__(
            "voice_not_found", f"there is no voice {voice_id!r}", "list them with GET /api/v1/voice/profiles"
        )


class RoomError(LiveError):
    """What cannot be had in a room."""


class RoomNotFound(RoomError):
    """A code that opens nothing: wrong, closed, or expired."""

    def __init__(self) -> None:
        super().__init__(
            "room_not_found",
            "no room has this code: it is wrong, or the room was closed",
            "ask whoever invited you for the code",
            fatal=True,
        )


class RoomFull(RoomError):
    """No place for one more of that role."""

    def __init__(self, role: str, most: int) -> None:
        advice = "join as a listener" if role == "singer" else "try again once somebody has left"
        super().__init__("room_full", f"there are {most} {role}s in this room already", advice, fatal=True)


class LeftRoom(RoomError):
    """A guest may sing in a room only."""

    def __init__(self) -> None:
        super().__init__(
            "left_room", "you have left the room in which you may sing", "come in again by its code", fatal=True
        )


class TooManyRooms(RoomError):
    """The server has as many rooms as it may."""

    def __init__(self, most: int) -> None:
        super().__init__("too_many_rooms", f"all {most} rooms of this server are in use", "try again later")
