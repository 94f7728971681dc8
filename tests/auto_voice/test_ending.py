"""A real server is told to end: songs at work are finished or put back, and singers are told."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import asdict
from pathlib import Path

import aiohttp
import msgpack
import pytest

from auto_voice.jobs.model import Status
from auto_voice.jobs.song_request import SongRequest
from auto_voice.jobs.store import JobStore
from tests.serving import Server, hear, start_live, until
from tests.songs import write_song

JOB = "conv-1"


@pytest.fixture
def server(tmp_path: Path, models_dir: Path) -> Server:
    return Server(tmp_path, STORAGE__MODELS_DIR=str(models_dir), LIMITS__CONCURRENT_CONVERSIONS="1")


def submit(server: Server, seconds: float) -> JobStore:
    """Put a song into the server's queue."""
    folder = server.data / "results" / JOB
    folder.mkdir(parents=True)
    write_song(folder / "upload.wav", seconds)
    store = JobStore(server.database)
    request = asdict(SongRequest(voice_id="otto", preset="fast"))
    store.submit("song", {"request": request, "upload": "upload.wav"}, job_id=JOB)
    return store


async def sing_on(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Say something every second: a session that is silent for long is ended for that reason."""
    while True:
        await socket.send_bytes(msgpack.packb({"type": "stats", "t": 8}))
        await asyncio.sleep(1)


async def test_a_song_at_work_is_finished_while_singers_sing_on_and_then_are_told(server: Server) -> None:
    store = submit(server, 20.0)
    with server:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"ws://{server.address}/ws/live") as socket,
        ):
            await start_live(socket)
            await asyncio.to_thread(until, lambda: store.get(JOB).progress > 1)
            assert server.ask("/health/ready")["status"] == "ready"
            server.signal()
            await asyncio.to_thread(until, lambda: server.ask("/health/ready")["status"] == "not_ready")
            assert server.ask("/health/live")["status"] == "alive"
            assert store.get(JOB).status is Status.PROCESSING
            await socket.send_bytes(msgpack.packb({"type": "stats", "t": 7}))
            assert await hear(socket, "stats")
            assert store.get(JOB).status is Status.PROCESSING
            singing = asyncio.create_task(sing_on(socket))
            assert (await hear(socket, "error"))["code"] == "shutting_down"
            singing.cancel()
            assert store.get(JOB).status is Status.COMPLETED
        assert server.exit_code() == 0
    assert store.get(JOB).attempts == 1


def test_what_is_not_finished_is_put_back_and_taken_up_by_the_next_server(server: Server) -> None:
    store = submit(server, 24.0)
    with server:
        until(lambda: store.get(JOB).progress > 1)
        server.signal()
        until(lambda: server.ask("/health/ready")["status"] == "not_ready")
        server.signal(signal.SIGINT)  # somebody has no patience
        assert server.exit_code() == 0
    assert "put back" in server.told
    assert store.get(JOB).status is Status.QUEUED
    with server:
        until(lambda: store.get(JOB).status.finished)
    assert store.get(JOB).status is Status.COMPLETED
    assert store.get(JOB).attempts == 2
