"""Two real servers behind a real nginx with the shipped site: REST, uploads, live sessions, songs, restarts."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgpack
import pytest

from bench.server import perform
from tests.deploy.conftest import Front, Nginx, block
from tests.serving import Server, hear, start_live
from tests.songs import write_song

SONG_S = 48.0  # 8 MB of WAV


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers that share their data."""
    folder = tmp_path_factory.mktemp("servers")
    settings = {
        "STORAGE__MODELS_DIR": str(models_dir),
        "LIMITS__CONCURRENT_CONVERSIONS": "1",
        "SERVER__PROXIES": "1",
        "SERVER__DRAIN_SECONDS": "0",
    }
    one, two = Server(folder, **settings), Server(folder, **settings)
    with contextlib.ExitStack() as stack:
        for server in (one, two):  # at once: neither minds that the other makes the database, too
            stack.push(server)
            server.start()
        yield one.wait(), two.wait()


@pytest.fixture(scope="module")
def nginx(front: Front, servers: tuple[Server, Server]) -> Nginx:
    return front((servers[0].port, servers[1].port))


def ask(nginx: Nginx, path: str) -> Any:
    with urllib.request.urlopen(nginx.url + path, timeout=30) as answer:
        return json.load(answer)


def test_the_running_configuration_is_the_shipped_one(nginx: Nginx) -> None:
    told = nginx.run("-T")
    assert "test is successful" in told
    assert "[warn]" not in told
    for place in ("location /ws/", "location /api/"):
        for limit in ("proxy_read_timeout 300s;", "proxy_send_timeout 300s;", "proxy_buffering off;"):
            assert limit in block(told, place)
    assert "client_max_body_size 100M;" in block(told, "location /api/")
    assert "client_max_body_size 920M;" in block(told, "location = /api/v1/voice/import")
    assert "least_conn;" in block(told, "upstream autovoice")
    assert block(told, "upstream autovoice").count("server 127.0.0.1:") == 2


def test_rest_the_page_and_health_go_to_both(nginx: Nginx, servers: tuple[Server, Server]) -> None:
    for _ in range(6):
        assert ask(nginx, "/api/v1/voice/profiles")["profiles"]
    assert ask(nginx, "/health")["service"] == "autovoice"
    with urllib.request.urlopen(f"{nginx.url}/client/js/main.js", timeout=30) as answer:
        assert "javascript" in answer.headers["Content-Type"]
    with urllib.request.urlopen(nginx.url, timeout=30) as answer:
        assert b"AutoVoice" in answer.read()
    for server in servers:
        lines = server.text("/metrics").splitlines()
        assert any(line.startswith("autovoice_http_requests_total") and "profiles" in line for line in lines)


async def test_two_singers_are_shared_out_and_hear_themselves(
    nginx: Nginx, servers: tuple[Server, Server]
) -> None:
    seen: set[tuple[int, int]] = set()

    async def look() -> None:
        while True:
            told = [await asyncio.to_thread(server.ask, "/health") for server in servers]
            seen.add((told[0]["live"]["sessions"], told[1]["live"]["sessions"]))
            await asyncio.sleep(0.2)

    looking = asyncio.create_task(look())
    takes = await asyncio.gather(*(perform(nginx.address, 2.0, converter="passthrough") for _ in range(2)))
    looking.cancel()
    assert (1, 1) in seen
    for take in takes:
        assert len(take.positions) > 100  # all 200 and more, where the machine is not busy
        steps = [after - before for before, after in zip(take.positions, take.positions[1:], strict=False)]
        assert all(step > 0 and step % 480 == 0 for step in steps)
        assert not take.stats["gaps"]


async def test_a_song_is_uploaded_watched_and_fetched(nginx: Nginx, tmp_path: Path) -> None:
    song = await asyncio.to_thread(write_song, tmp_path / "song.wav", SONG_S)
    assert song.stat().st_size > 8_000_000
    async with aiohttp.ClientSession(nginx.url) as session:
        form = aiohttp.FormData({"voice_id": "otto", "preset": "fast", "profile_id": "otto"})
        form.add_field("song", io.BytesIO(song.read_bytes()), filename="song.wav")
        async with session.post("/api/v1/convert/song", data=form) as answer:
            assert answer.status == 202, await answer.text()
            job = (await answer.json())["conversion_id"]
        stages: list[dict[str, Any]] = []
        async with asyncio.timeout(150), session.ws_connect(f"/ws/conversion/{job}") as socket:
            stages += [message.json() async for message in socket]
        assert stages[-1]["status"] == "completed", stages[-1]
        assert len(stages) > 2  # told while it was at work
        async with session.get(f"/api/v1/convert/status/{job}") as answer:
            result = (await answer.json())["result"]["converted_audio_url"]
        async with session.get(result) as answer:
            assert answer.status == 200
            assert len(await answer.read()) > 100_000


async def test_what_is_too_large_is_refused_by_nginx(nginx: Nginx) -> None:
    async def endless() -> Any:
        yield b"x" * 1000

    async with aiohttp.ClientSession(nginx.url) as session:
        length = {"Content-Length": str(101 * 2**20)}
        async with session.post("/api/v1/convert/song", data=endless(), headers=length) as answer:
            assert answer.status == 413


async def test_a_singer_of_a_server_that_ends_comes_back_to_the_other(
    nginx: Nginx, servers: tuple[Server, Server]
) -> None:
    async with aiohttp.ClientSession(nginx.url) as session:
        socket = await session.ws_connect("/ws/live")
        await start_live(socket)
        ending, staying = servers
        if not ending.ask("/health")["live"]["sessions"]:
            ending, staying = staying, ending
        ending.signal()
        assert (await hear(socket, "error"))["code"] == "shutting_down"
        again = await session.ws_connect("/ws/live")
        await start_live(again)
        assert staying.ask("/health")["live"]["sessions"] == 1
        await again.send_bytes(msgpack.packb({"type": "stop", "reason": "done"}))
        assert await hear(again, "stop")
    assert await asyncio.to_thread(ending.exit_code) == 0
    for _ in range(4):  # nginx asks the other one
        assert ask(nginx, "/health")["service"] == "autovoice"
