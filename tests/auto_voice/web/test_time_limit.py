from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from auto_voice.web import uploads
from tests.auto_voice.web.conftest import Serve
from tests.auto_voice.web.takes import begin, write_stage


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


async def test_sound_that_is_made_first_has_a_limit_of_its_own(serve: Serve, tmp_path: Path) -> None:
    song_id = write_stage(tmp_path)
    client = await serve(SERVER__TIMEOUT="0.3", LIMITS__CONCURRENT_CONVERSIONS="0")
    slow = asyncio.Event()
    within_limits = uploads.within_limits

    async def later(*args: Any) -> Any:
        await slow.wait()
        return await within_limits(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(uploads, "within_limits", later)
        asyncio.get_running_loop().call_later(0.8, slow.set)
        path = f"/api/v1/karaoke/songs/{song_id}/audio/accompaniment"
        async with client.get(path, params={"tempo": "110"}) as response:
            assert response.status == 200

    async def crawl() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)

    take_id = await begin(client, song_id)
    async with client.post(f"/api/v1/karaoke/takes/{take_id}/finish", data=crawl()) as response:
        assert (response.status, (await response.json())["error"]) == (408, "timeout")


async def test_metrics_can_be_switched_off(serve: Serve) -> None:
    client = await serve(MONITORING__PROMETHEUS_ENABLED="false")
    async with client.get("/metrics") as response:
        assert response.status == 404
