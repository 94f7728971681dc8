"""Leads a browser back to the server process that has its live sessions, where several share a port.

The kernel shares connections out without knowing who comes. So the process that a browser first sings to sets a
cookie, and any other one that it comes to later (with a resumed line, or one over WebRTC) passes the request on
to that process, by a Unix socket, and stays in between. A process that is gone is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import WSMsgType, web

from auto_voice.share import Share
from realtime import protocol
from realtime.rooms.codes import process_of, read_code

COOKIE = "autovoice_process"
REMOTE = "X-AutoVoice-Remote"  # the client's address, among processes; believed at Unix sockets only
LIVE, OFFER = "/ws/live", "/api/v1/live/offer"
PATHS = (LIVE, OFFER)
ROOMS = ("/api/v1/karaoke/rooms/", "/ws/room/")  # followed by a code
TAKEN = (*PATHS, *(f"{room}{{rest:.+}}" for room in ROOMS))  # as aiohttp's router names them
PASSED_ON = (
    "Host",
    "Origin",
    "Cookie",
    "Range",
    "X-API-Key",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "Content-Type",
)
ANSWERED = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Accept-Ranges",
    "Cache-Control",
    "Set-Cookie",
    "Retry-After",
    "Access-Control-Allow-Origin",
    "Vary",
)
MAX_BODY = 2**20  # bytes; the process that it is for bounds it more tightly
CONNECT_S = 2.0
CLOSE_S = 2.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SHARE: web.AppKey[Share] = web.AppKey("share")
ASTRAY = web.RequestKey("astray", bool)


def add(app: web.Application, share: Share) -> None:
    """Have a server pass on what is for another process, and say to browsers which one this is."""
    app[SHARE] = share
    app.middlewares.insert(0, lead_back)
    app.on_response_prepare.append(_mark)


def _from_sibling(request: web.Request) -> bool:
    """Whether another process passed this on: connections at Unix sockets have no address."""
    return not request.remote


def _meant(request: web.Request) -> int | None:
    """The process of ours that a request is for: that of a room, or the one that a browser sings to."""
    index = _of_room(request.path)
    if index is None and request.path in PATHS:
        text = request.cookies.get(COOKIE, "")
        index = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None
    return index if index is not None and index < request.app[SHARE].count else None


def _of_room(path: str) -> int | None:
    """The process that has the room of a path."""
    prefix = next((room for room in ROOMS if path.startswith(room)), None)
    code = None if prefix is None else read_code(path.removeprefix(prefix).partition("/")[0])
    return None if code is None else process_of(code)


def sings_here(request: web.Request, response: web.StreamResponse) -> None:
    """Lead the browser's live sessions to this process from now on."""
    if SHARE in request.app:
        _set_cookie(response, request.app[SHARE].index)


def _set_cookie(response: web.StreamResponse, index: int) -> None:
    response.headers.add("Set-Cookie", f"{COOKIE}={index}; Path=/; HttpOnly; SameSite=Strict")


async def _mark(request: web.Request, response: web.StreamResponse) -> None:
    here = request.path in PATHS and response.status < 300 and not _from_sibling(request)
    if here and (_meant(request) is None or request.get(ASTRAY)):
        _set_cookie(response, request.app[SHARE].index)


@web.middleware
async def lead_back(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pass a request of a live session or a room on to the process that it is for, if that one is there."""
    meant = _meant(request)
    if meant is None or _from_sibling(request):
        return await handler(request)
    share = request.app[SHARE]
    if meant == share.index:
        return await handler(request)
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    headers[REMOTE] = request.remote or ""
    async with aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(str(share.socket(meant))),
        timeout=aiohttp.ClientTimeout(connect=CONNECT_S),
    ) as session:
        url = f"http://{request.host}{request.path_qs}"  # whatever the client speaks
        try:
            if request.path.startswith("/ws/"):
                return await _bridge(request, session, url, headers)
            return await _ask(request, session, url, headers)
        except aiohttp.ClientConnectorError:
            request[ASTRAY] = True  # it is gone, and its sessions with it
            return await handler(request)


async def _ask(
    request: web.Request, session: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> web.StreamResponse:
    body = await request.content.read(MAX_BODY) if request.method == "POST" else b""
    async with session.request(request.method, url, headers=headers, data=body) as answer:
        here = web.StreamResponse(status=answer.status)
        for name in ANSWERED:
            for value in answer.headers.getall(name, []):
                here.headers.add(name, value)
        await here.prepare(request)
        async for piece in answer.content.iter_any():  # tracks of rooms are long
            await here.write(piece)
        await here.write_eof()
        return here


async def _bridge(
    request: web.Request, session: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> web.StreamResponse:
    """Stand between a client and another process until one of them closes."""
    try:
        there = await session.ws_connect(url, headers=headers, compress=0, max_msg_size=0)  # ours
    except aiohttp.WSServerHandshakeError as refused:
        return web.Response(status=refused.status)
    here = web.WebSocketResponse(compress=False, max_msg_size=2 * protocol.MAX_MESSAGE, timeout=CLOSE_S)
    await here.prepare(request)
    ways = {asyncio.create_task(_pass_on(here, there)), asyncio.create_task(_pass_on(there, here))}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await there.close()
        await here.close(code=there.close_code or aiohttp.WSCloseCode.OK)
    return here


async def _pass_on(
    source: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
    target: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
) -> None:
    async for message in source:
        if message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is WSMsgType.TEXT:
            await target.send_str(message.data)
