from __future__ import annotations

import asyncio

import aiohttp

from tests.auto_voice.web.conftest import Serve


async def test_an_upload_that_crawls_is_given_up(serve: Serve) -> None:
    client = await serve(SERVER__TIMEOUT="0.5")

    async def crawl() -> object:
        yield b"RIFF"
        await asyncio.sleep(30)

    form = aiohttp.FormData()
    form.add_field("audio", crawl(), filename="slow.wav")
    async with client.post("/api/v1/voice/clone", data=form) as response:
        assert response.status == 408
        assert (await response.json())["error"] == "timeout"
    async with client.get("/health") as response:
        assert response.status == 200


async def test_what_must_stay_open_stays_open(serve: Serve) -> None:
    client = await serve(SERVER__TIMEOUT="0.3")
    async with client.ws_connect("/ws/live") as socket:
        await asyncio.sleep(0.8)
        assert not socket.closed


async def test_metrics_can_be_switched_off(serve: Serve) -> None:
    client = await serve(MONITORING__PROMETHEUS_ENABLED="false")
    async with client.get("/metrics") as response:
        assert response.status == 404
