"""`POST /api/v1/live/offer`: a live session over WebRTC (docs/protocol.md)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from auto_voice import __version__
from auto_voice.web.auth import sole_user
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.json_body import read_object
from auto_voice.web.metrics import METRICS
from auto_voice.web.rates import client_of
from auto_voice.web.websocket_handler import (
    CONVERSATIONS,
    ENGINE,
    IDLE_TIMEOUT_S,
    RESOLVE_VOICE,
    SESSIONS,
    STEP_TIMEOUT_S,
)
from realtime.conversation import Conversation, Phase
from realtime.errors import LiveError, ServerFull

if TYPE_CHECKING:
    from realtime.transports.webrtc.peer import Peer

PEERS: web.AppKey[set[asyncio.Task[None]]] = web.AppKey("peers")
CONNECT_TIMEOUT_S = 10.0  # from the answer until both channels are open
MAX_BODY = 131_072  # bytes
SPARE = 8  # connections that may be on their way beyond the server's capacity


def add_routes(app: web.Application) -> None:
    """Serve offers; needs what the live socket needs."""
    app[PEERS] = set()
    app.router.add_post("/api/v1/live/offer", offer)
    app.router.add_get("/api/v1/live/ice-servers", ice_servers)
    app.on_cleanup.append(_hang_up)


async def ice_servers(request: web.Request) -> web.Response:
    """What a browser's RTCPeerConnection should be given."""
    return web.json_response({"ice_servers": _ice_servers(request.app)})


def _ice_servers(app: web.Application) -> list[dict[str, Any]]:
    return [server.model_dump(exclude_none=True) for server in app[CURRENT].settings.live.ice_servers]


async def offer(request: web.Request) -> web.Response:
    """Answer a browser's offer; its session goes on by itself.

    Raises:
        ApiError: no offer. BadOffer: one that cannot be accepted. ServerFull: too many connections.
    """
    from realtime.transports.webrtc.intake import Intake
    from realtime.transports.webrtc.outbox import PeerOutbox
    from realtime.transports.webrtc.peer import IceServer, Peer

    sdp = await _read(request)
    app = request.app
    if len(app[PEERS]) >= app[ENGINE].capacity + SPARE:
        raise ServerFull(f"{len(app[PEERS])} connections are open")
    peer = Peer([IceServer(**server) for server in _ice_servers(app)])
    outbox = PeerOutbox(peer)
    server, user = f"AutoVoice {__version__}", sole_user(request)
    conversation = Conversation(app[SESSIONS], app[RESOLVE_VOICE], outbox, server, user, client_of(request))
    conversation.on_underruns = app[METRICS].underruns.inc
    conversation.track = intake = Intake(peer, outbox, conversation)
    # from here on the task owns the connection, whatever becomes of this request
    answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(_run(app, peer, conversation, sdp, answered))
    app[PEERS].add(task)
    task.add_done_callback(app[PEERS].discard)
    task.add_done_callback(lambda _: intake.close())
    return web.json_response({"type": "answer", "sdp": await answered})


async def _read(request: web.Request) -> str:
    example = '{"type": "offer", "sdp": …}'
    body = await read_object(request, MAX_BODY, example)
    if body.get("type") != "offer" or not isinstance(body.get("sdp"), str):
        raise ApiError("invalid_request", "the body is not an offer", f"send {example}")
    return str(body["sdp"])


async def _run(
    app: web.Application, peer: Peer, conversation: Conversation, sdp: str, answered: asyncio.Future[str]
) -> None:
    """Hold one client's conversation until either side ends it."""
    app[CONVERSATIONS][id(conversation)] = conversation
    try:
        try:
            answer = await peer.answer(sdp)
        except LiveError as problem:
            if not answered.done():
                answered.set_exception(problem)
            return
        if not answered.done():
            answered.set_result(answer)
            if await peer.opened(CONNECT_TIMEOUT_S):
                await _listen(peer, conversation)
    finally:
        if not answered.done():
            answered.set_exception(ServerFull("it is going away"))
        conversation.lose()
        del app[CONVERSATIONS][id(conversation)]
        await peer.close()


async def _listen(peer: Peer, conversation: Conversation) -> None:
    loop = asyncio.get_running_loop()
    phase, since = conversation.phase, loop.time()
    while conversation.phase is not Phase.ENDED:
        if conversation.phase is not phase:
            phase, since = conversation.phase, loop.time()
        running = phase is Phase.RUNNING
        limit = IDLE_TIMEOUT_S if running else STEP_TIMEOUT_S
        left = limit - (peer.silent_s if running else loop.time() - since)
        try:
            message = await peer.receive(left)
        except TimeoutError:
            if running and peer.silent_s < limit:
                continue  # audio has come meanwhile
            waited = f"nothing came for {limit:g} s; {conversation.phase.value!r} was expected"
            conversation.lose(LiveError("timeout", waited, "connect again", fatal=True))
            return
        if message is None:
            return
        await conversation.receive(message)


async def _hang_up(app: web.Application) -> None:
    """End what is still connected (an aiohttp `on_cleanup` hook)."""
    connected = app[PEERS]
    tasks = list(connected)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
