"""Guests of rooms on a server that wants keys: who sings in a room by its code needs no key for that.

A singer who is in a room gets a cookie, signed for that room and place in it. It opens the live session and
the list of voices, as a user who owns nothing: of the voices, only the built-in ones are there.
"""

from __future__ import annotations

from aiohttp import web

from auto_voice.storage.users import Principal, Role
from auto_voice.web.tokens import Signer
from realtime.errors import LeftRoom
from realtime.rooms.member import Member
from realtime.rooms.room import Room
from realtime.rooms.rooms import Rooms
from realtime.sessions import Sessions

ROOMS = web.AppKey("rooms", Rooms)
COOKIE = "autovoice_guest"
PURPOSE = "guest"
PREFIX = "_guest-"  # of the names of guests; no user's name begins so
CLIENT = f"user {PREFIX}"  # as `rates.client_of` names them
LIVE_DOORS = (("GET", "/ws/live"), ("POST", "/api/v1/live/offer"))  # in the process that has the room
DOORS = (*LIVE_DOORS, ("GET", "/api/v1/live/ice-servers"), ("GET", "/api/v1/voice/profiles"))


def admit(response: web.Response, signer: Signer, room: Room, member_id: str, secure: bool) -> None:
    """Give a singer of a room the cookie, for as long as the room can last.

    Args:
        response: that takes it.
        signer: of this server.
        room: they are in.
        member_id: theirs.
        secure: over https only.
    """
    response.set_cookie(
        COOKIE,
        signer.issue(f"{room.code} {member_id}", PURPOSE, room.lasts_s),
        max_age=int(room.lasts_s),
        httponly=True,
        samesite="Strict",
        secure=secure,
    )


def guest_of(request: web.Request, signer: Signer) -> Principal | None:
    """The guest who makes a request, if there is a door for guests and their room has them still."""
    door = request.method, request.path
    if COOKIE not in request.cookies or door not in DOORS:
        return None
    told = signer.key_of(request.cookies[COOKIE], PURPOSE)
    if told is None:
        return None
    code, _, member_id = told.partition(" ")
    if door in LIVE_DOORS:
        member = request.app[ROOMS].member(code, member_id)
        if member is None or not member.sings:
            return None
    return Principal(f"{PREFIX}{member_id}", Role.USER, "")


def most_sessions(client: str, most: int, rooms: Rooms) -> int:
    """Live sessions that a client may have at a time: a guest sings once, as long as they are in a room.

    Args:
        client: as `rates.client_of` names it.
        most: of those who are no guests; 0: any number.
        rooms: of this process.

    Raises:
        LeftRoom: a guest who came through the door, and has left since.
    """
    if not client.startswith(CLIENT):
        return most
    if not rooms.sings(client.removeprefix(CLIENT)):
        raise LeftRoom
    return 1


def send_away(sessions: Sessions, member: Member) -> None:
    """End what a guest sings by: they are in no room any more. Those who have a key go on."""
    sessions.end(f"{CLIENT}{member.member_id}", LeftRoom())
