"""The whole server on a free port of this machine, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from auto_voice.settings import load_settings
from auto_voice.web.app import create_app

Client = TestClient[Any, Any]
Serve = Callable[..., Awaitable[Client]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Start servers with settings such as `LIVE__CAPACITY="3"`; they end with the test."""
    clients: list[Client] = []

    async def start(**environ: str) -> Client:
        settings = load_settings(
            environ={"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path)}
            | {f"AUTOVOICE_{name}": value for name, value in environ.items()}
        )
        server = TestServer(create_app(settings))
        clients.append(TestClient(server))
        await server.start_server(access_log=None)  # as the program itself has it
        return clients[-1]

    yield start
    for client in clients:
        await client.close()


@pytest.fixture
async def client(serve: Serve) -> Client:
    """A server with room for three singers."""
    return await serve(LIVE__CAPACITY="3")
