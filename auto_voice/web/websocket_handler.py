"""`/ws/live`: a browser's live session over a WebSocket (docs/protocol.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from auto_voice import __version__
from auto_voice.web.auth import sole_user
from auto_voice.web.metrics import METRICS
from auto_voice.web.rates import client_of
from pipeline.voice import Target
from realtime import protocol
from realtime.conversation import Conversation, Phase
from realtime.engine import Engine
from realtime.errors import LiveError, ProtocolError
from realtime.sessions import Sessions
from realtime.transports.websocket import WebSocketOutbox

ENGINE = web.AppKey("engine", Engine)
SESSIONS = web.AppKey("sessions", Sessions)
RESOLVE_VOICE: web.AppKey[Callable[[str, str | None], Awaitable[Target]]] = web.AppKey("resolve_voice")
CONVERSATIONS: web.AppKey[dict[int, Conversation]] = web.AppKey("conversations")

STEP_TIMEOUT_S = 10.0  # for hello, and for start
IDLE_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 2.0


async def live(request: web.Request) -> web.WebSocketResponse:
    """Hold one client's conversation until either side ends it or the line is lost."""
    socket = web.WebSocketResponse(
        max_msg_size=2 * protocol.MAX_MESSAGE, compress=False, timeout=CLOSE_TIMEOUT_S, heartbeat=None
    )
    await socket.prepare(request)
    transport = request.transport if isinstance(request.transport, asyncio.Transport) else None
    outbox = WebSocketOutbox(socket, transport)
    conversation = Conversation(
        request.app[SESSIONS],
        request.app[RESOLVE_VOICE],
        outbox,
        f"AutoVoice {__version__}",
        sole_user(request),
        client_of(request),
    )
    conversation.on_underruns = request.app[METRICS].underruns.inc
    request.app[CONVERSATIONS][id(conversation)] = conversation
    writer = asyncio.create_task(outbox.run())
    try:
        await _listen(socket, conversation)
    finally:
        conversation.lose()
        del request.app[CONVERSATIONS][id(conversation)]
        await asyncio.wait({writer}, timeout=CLOSE_TIMEOUT_S)
        writer.cancel()
        await socket.close()
    return socket


async def _listen(socket: web.WebSocketResponse, conversation: Conversation) -> None:
    loop = asyncio.get_running_loop()
    phase, since = conversation.phase, loop.time()
    while conversation.phase is not Phase.ENDED:
        if conversation.phase is not phase:
            phase, since = conversation.phase, loop.time()
        running = phase is Phase.RUNNING
        limit = IDLE_TIMEOUT_S if running else STEP_TIMEOUT_S
        left = limit if running else limit - (loop.time() - since)  # of the step, however much is said in it
        try:
            message = await socket.receive(timeout=max(left, 0.001))
        except TimeoutError:
            waited = f"nothing came for {limit:g} s; {conversation.phase.value!r} was expected"
            conversation.lose(LiveError("timeout", waited, "connect again", fatal=True))
            return
        if message.type is WSMsgType.BINARY:
            await conversation.receive(message.data)
        elif message.type is WSMsgType.TEXT:
            conversation.report(
                ProtocolError("malformed_message", "text messages mean nothing here", "send MessagePack maps")
            )
        else:
            return


async def shut_down(app: web.Application) -> None:
    """Tell every live client that the server is going away (an aiohttp `on_shutdown` hook)."""
    for conversation in list(app[CONVERSATIONS].values()):
        conversation.report(
            LiveError("shutting_down", "the server is restarting", "the page reconnects by itself", fatal=True)
        )
    app[SESSIONS].close()
    await asyncio.sleep(0.2)
