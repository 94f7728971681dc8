"""Rooms over REST and a WebSocket: open one, see its song, come in (docs/karaoke.md, docs/protocol.md).

Whoever has the code may come in and is shown the song of the room; nothing else is there for them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import WSMsgType, web

from auto_voice.jobs.errors import JobNotFound
from auto_voice.jobs.model import Job
from auto_voice.jobs.stage import TRACKS
from auto_voice.renditions import MOST_SEMITONES, TEMPOS
from auto_voice.web import forward, guests, karaoke
from auto_voice.web.auth import PRINCIPAL, SIGNER
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.guests import ROOMS
from auto_voice.web.json_body import number_of, read_object, text_of
from auto_voice.web.rates import RATES, address_of
from auto_voice.web.reception import JOBS, job_of
from auto_voice.web.validators import InvalidParameter
from auto_voice.web.websocket_handler import CLOSE_TIMEOUT_S, IDLE_TIMEOUT_S, SESSIONS, STEP_TIMEOUT_S
from realtime import protocol
from realtime.errors import LiveError, ProtocolError, RoomNotFound
from realtime.rooms.room import Room, Stage
from realtime.rooms.visit import Visit
from realtime.transports.member_line import MemberLine

BASE = "/api/v1/karaoke/rooms"
MOST_JSON = 4096
SHOWN = ("song_id", "title", "status", "progress", "notes", "created_at", "seconds", "key", "tempo", "parts")


async def open_room(request: web.Request) -> web.Response:
    """POST /karaoke/rooms: JSON with the song, its key and tempo; 201, the room, and the host's token."""
    given = await read_object(request, MOST_JSON, '{"song_id": "stage-…"}')
    song_id = text_of(given, "song_id", "")
    if not song_id:
        raise ApiError("missing_required_field", "song_id is missing", "make a song with POST /karaoke/songs")
    semitones = _whole(given, "semitones", 0, -MOST_SEMITONES, MOST_SEMITONES)
    tempo = _whole(given, "tempo", 100, *TEMPOS)
    job = karaoke.checked(await job_of(request, "stage", job_id=song_id))
    seconds = float((job.result or {})["metadata"]["seconds"]) * 100 / tempo
    title = str(job.parameters.get("song_name") or "Unknown")
    room = request.app[ROOMS].open(Stage(job.id, title, seconds, semitones, tempo))
    document = {**_view(room), "token": room.host_token}
    return web.json_response(document, status=201)


def _whole(given: dict[str, Any], name: str, default: int, low: int, high: int) -> int:
    number = number_of({name: default, **given}, name, low, high)
    if not number.is_integer():
        raise InvalidParameter(name, f"must be a whole number from {low} to {high}")
    return int(number)


def _view(room: Room) -> dict[str, Any]:
    return {**room.described(), "websocket_url": f"/ws/room/{room.code}"}


async def show(request: web.Request) -> web.Response:
    """GET /karaoke/rooms/{code}: who is there, and the song with all that is sung."""
    room = await _room(request)
    document = await karaoke.whole(request, await _song(request, room))
    song = {name: document[name] for name in (*SHOWN, "has_lyrics")}
    song |= {f"{track}_url": f"{BASE}/{room.code}/audio/{track}" for track in TRACKS}
    return web.json_response({**_view(room), "song": song})


async def track(request: web.Request) -> web.StreamResponse:
    """GET /karaoke/rooms/{code}/audio/{track}: a FLAC file, in the key and at the tempo of the room."""
    room = await _room(request)
    job = await _song(request, room)
    return await karaoke.track_file(request, job, room.stage.semitones, room.stage.tempo)


async def become_singer(request: web.Request) -> web.Response:
    """POST /karaoke/rooms/{code}/singer: JSON with a singer's token; cookies that let them sing here."""
    room = await _room(request)
    token = text_of(await read_object(request, MOST_JSON, '{"token": "…"}'), "token", "")
    member = room.singer_of(token)
    if member is None:
        raise ApiError("unauthorized", "that is no singer's token in this room", "join as a singer first")
    needed = request.app[CURRENT].settings.security.api_key_required and request.get(PRINCIPAL) is None
    response = web.json_response({"guest": needed})
    if needed:
        secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        guests.admit(response, request.app[SIGNER], room, member.member_id, secure)
    forward.sings_here(request, response)
    return response


async def visit(request: web.Request) -> web.WebSocketResponse:
    """GET /ws/room/{code}: a member's line, until either side ends it or it is lost."""
    room = await _room(request)
    app = request.app
    socket = web.WebSocketResponse(
        max_msg_size=2 * protocol.MAX_MESSAGE, compress=False, timeout=CLOSE_TIMEOUT_S, heartbeat=None
    )
    await socket.prepare(request)
    transport = request.transport if isinstance(request.transport, asyncio.Transport) else None
    line = MemberLine(socket, transport)

    async def song_is_there(song_id: str) -> bool:
        try:
            await _song(request, room)
        except ApiError:
            return False
        return True

    guest = Visit(app[ROOMS], room, app[SESSIONS], line, song_is_there)
    writer = asyncio.create_task(line.run())
    try:
        await _listen(socket, guest)
    finally:
        guest.lose()
        await asyncio.wait({writer}, timeout=CLOSE_TIMEOUT_S)
        writer.cancel()
        await socket.close()
    return socket


async def _listen(socket: web.WebSocketResponse, guest: Visit) -> None:
    while not guest.ended:
        limit = STEP_TIMEOUT_S if guest.member is None else IDLE_TIMEOUT_S
        try:
            message = await socket.receive(timeout=limit)
        except TimeoutError:
            guest.report(LiveError("timeout", f"nothing came for {limit:g} s", "connect again", fatal=True))
            return
        if message.type is WSMsgType.BINARY:
            await guest.receive(message.data)
        elif message.type is WSMsgType.TEXT:
            guest.report(
                ProtocolError("malformed_message", "text messages mean nothing here", "send MessagePack maps")
            )
        else:
            return


async def _room(request: web.Request) -> Room:
    """The room that a path names.

    Raises:
        RoomNotFound: there is none. RateLimited: this address has tried too many codes that open nothing.
    """
    security = request.app[CURRENT].settings.security
    guesses = f"address {address_of(request)}", "wrong room codes", security.wrong_keys_per_hour
    if security.rate_limiting_enabled and not await request.app[RATES].left(*guesses):
        await request.app[RATES].hit(*guesses)
    try:
        return request.app[ROOMS].get(request.match_info["code"])
    except RoomNotFound:
        if security.rate_limiting_enabled:
            await request.app[RATES].hit(*guesses)
        raise


async def _song(request: web.Request, room: Room) -> Job:
    """The song of a room, whoever asks: the code is the right to it.

    Raises:
        ApiError: it is gone.
    """
    try:
        return karaoke.checked(await asyncio.to_thread(request.app[JOBS].get, room.stage.song_id))
    except JobNotFound as problem:
        raise ApiError("file_expired", "the song of this room is gone", "open a room for another") from problem


async def shut_down(app: web.Application) -> None:
    """Tell everybody in rooms that the server is going away (an aiohttp `on_shutdown` hook)."""
    app[ROOMS].close()


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    route = app.router
    route.add_post(BASE, open_room)
    route.add_get(f"{BASE}/{{code}}", show)
    route.add_get(f"{BASE}/{{code}}/audio/{{track}}", track)
    route.add_post(f"{BASE}/{{code}}/singer", become_singer)
    route.add_get("/ws/room/{code}", visit)
