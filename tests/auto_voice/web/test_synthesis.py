"""Texts spoken over HTTP."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientError

from auto_voice.web.health import SPEAKING
from pipeline import io
from tests.auto_voice.web.conftest import Client, Serve
from tests.live import until

pytest.importorskip("kokoro_onnx", reason="the extra `speech` is not installed")

SPEAK = "/api/v1/synthesize"
LONG = "This is a sentence of the kind that people say. " * 12


@pytest.fixture
async def speaker(serve: Serve, models_dir: Path) -> Client:
    return await serve(STORAGE__MODELS_DIR=str(models_dir))


async def refused(client: Client, **body: Any) -> tuple[int, str]:
    async with client.post(SPEAK, json=body) as response:
        answer = await response.json()
        assert answer["message"]
        return response.status, answer["error"]


async def metric(client: Client, name: str) -> float:
    async with client.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


async def test_a_text_is_answered_as_json_for_clients_of_old(speaker: Client) -> None:
    body = {"text": "Good evening.", "speaker_id": 3, "voice_config": {"speed": 1.2, "pitch": 2}}
    async with speaker.post(SPEAK, json=body) as response:
        assert response.status == 200
        answer = await response.json()
    sound = io.decode(base64.b64decode(answer["audio"]), sample_rate=48_000, max_seconds=20)
    assert sound.seconds == pytest.approx(answer["duration"], abs=0.01)
    assert np.abs(sound.samples).max() > 0.05
    assert answer["metadata"]["speed"] == 1.2
    assert answer["metadata"]["profile_id"] == "clara"
    assert await metric(speaker, 'autovoice_tts_requests_total{status="success"}') == 1
    assert await metric(speaker, "autovoice_tts_duration_seconds_count") == 1


async def test_a_stream_begins_before_it_ends(speaker: Client) -> None:
    async with speaker.post(
        SPEAK, json={"text": LONG, "voice": "aria", "format": "ogg", "stream": True}
    ) as response:
        assert (response.status, response.content_type) == (200, "audio/ogg")
        first = await response.content.readany()
        assert await metric(speaker, "autovoice_tts_duration_seconds_count") == 0, (
            "it is not spoken to the end yet"
        )
        sound = io.decode(first + await response.content.read(), sample_rate=48_000, max_seconds=120)
    assert sound.seconds > 20
    assert await metric(speaker, "autovoice_tts_first_audio_seconds_count") == 1


async def test_who_leaves_holds_nobody_up_and_the_process_stays(speaker: Client) -> None:
    async with speaker.post(SPEAK, json={"text": "Hello there.", "stream": True}) as response:
        await response.read()
    process = speaker.app[SPEAKING]._mouths[0]._process
    async with speaker.get("/health") as response:
        assert (await response.json())["models"]["tts_loaded"] is True
    async with speaker.post(SPEAK, json={"text": LONG * 8, "stream": True}) as response:
        await response.content.readany()
        response.close()
    with pytest.raises(TimeoutError):  # nor does a client of old who waits for the whole
        await asyncio.wait_for(speaker.post(SPEAK, json={"text": LONG * 8}), 2.0)
    async with asyncio.timeout(60), speaker.post(SPEAK, json={"text": "Hello there."}) as response:
        assert response.status == 200
    assert speaker.app[SPEAKING]._mouths[0]._process is process


async def test_a_process_that_dies_is_an_error_and_the_next_text_is_spoken(speaker: Client) -> None:
    asked = asyncio.create_task(refused(speaker, text=LONG * 8))
    mouth = speaker.app[SPEAKING]._mouths[0]
    await until(lambda: mouth._process is not None and mouth._process.pid is not None)
    assert mouth._process is not None
    mouth._process.kill()
    assert await asked == (500, "synthesis_failed")
    async with speaker.post(SPEAK, json={"text": "Hello there."}) as response:
        assert response.status == 200


async def test_a_stream_that_breaks_off_does_not_look_whole(speaker: Client) -> None:
    async with speaker.post(SPEAK, json={"text": LONG * 8, "stream": True}) as response:
        await response.content.readany()
        process = speaker.app[SPEAKING]._mouths[0]._process
        assert process is not None
        process.kill()
        with pytest.raises(ClientError):
            await response.read()
    async with speaker.post(SPEAK, json={"text": "Hello there."}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "missing_parameter"),
        ({"text": 5}, 400, "invalid_parameter"),
        ({"text": "  ?! "}, 400, "invalid_parameter"),
        ({"text": "a" * 5001}, 400, "text_too_long"),
        ({"text": "hi", "voice": "nobody"}, 404, "profile_not_found"),
        ({"text": "hi", "voice": "../../etc/passwd"}, 404, "profile_not_found"),
        ({"text": "hi", "speaker_id": 99}, 404, "invalid_speaker_id"),
        ({"text": "hi", "speaker_id": "x"}, 404, "invalid_speaker_id"),
        ({"text": "hi", "language": "tlh"}, 400, "invalid_parameter"),
        ({"text": "hi", "speed": 3}, 400, "invalid_parameter"),
        ({"text": "hi", "speed": "fast"}, 400, "invalid_parameter"),
        ({"text": "hi", "pitch_semitones": 40}, 400, "invalid_parameter"),
        ({"text": "hi", "format": "exe"}, 400, "invalid_parameter"),
        ({"text": "hi", "stream": "yes"}, 400, "invalid_parameter"),
        ({"text": "hi", "sped": 1}, 400, "invalid_parameter"),
        ({"text": "hi", "voice_config": 1}, 400, "invalid_parameter"),
    ],
)
async def test_bad_wishes_are_refused(client: Client, body: dict[str, Any], status: int, code: str) -> None:
    assert await refused(client, **body) == (status, code)


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000])
async def test_bad_bodies_are_refused(client: Client, data: bytes) -> None:
    async with client.post(SPEAK, data=data, headers={"Content-Type": "application/json"}) as response:
        assert response.status == 400
    async with client.post(SPEAK, data=data) as response:
        assert response.status == 400


async def test_a_server_may_speak_not_at_all(serve: Serve) -> None:
    client = await serve(LIMITS__CONCURRENT_SPEECH="0")
    assert await refused(client, text="hi") == (503, "service_unavailable")
    async with client.get(f"{SPEAK}/languages") as response:
        assert len((await response.json())["languages"]) == 7
