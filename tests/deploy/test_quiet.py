"""What is quiet for longer than nginx waits by default is not cut: shown in seconds for minutes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.deploy.conftest import Front, Nginx

QUIET_S = 2.0


async def _answer(request: web.Request) -> web.Response:
    await asyncio.sleep(QUIET_S)
    return web.json_response({"status": "done"})


async def _socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await asyncio.sleep(QUIET_S)
    await socket.send_str("done")
    await socket.close()
    return socket


@pytest.fixture
async def quiet() -> AsyncIterator[int]:
    """The port of a server that thinks for a while."""
    app = web.Application()
    app.router.add_post("/api/v1/slow", _answer)
    app.router.add_get("/ws/slow", _socket)
    server = TestServer(app)
    await server.start_server()
    assert server.port is not None
    yield server.port
    await server.close()


async def both(nginx: Nginx) -> tuple[int, bool]:
    """The status of a slow answer, and whether a quiet WebSocket was heard to its end."""
    async with aiohttp.ClientSession(nginx.url) as session:

        async def listen() -> bool:
            async with session.ws_connect("/ws/slow") as socket:
                return (await socket.receive()).data == "done"

        async def post() -> int:
            async with session.post("/api/v1/slow") as answer:
                return answer.status

        status, heard = await asyncio.gather(post(), listen())
        return status, heard


async def test_the_300_s_of_the_site_are_what_governs(front: Front, quiet: int) -> None:
    patient = front(
        (quiet, quiet), {"300s": "4s"}
    )  # were anything left at nginx's 60 s, these would not show it,
    hasty = front((quiet, quiet), {"300s": "1s"})  # but these would
    assert await both(patient) == (200, True)
    assert await both(hasty) == (504, False)
