"""The REST endpoints over a real socket, with real recordings where there are some."""

import asyncio
import io as std_io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgpack
import numpy as np
import pytest

from auto_voice.web import uploads
from auto_voice.web.api import CLONING
from pipeline import io
from pipeline.synthetic import rest, sing, vibrato
from tests.auto_voice.web.conftest import Client, Serve
from tests.live import until

CLONE, PROFILES = "/api/v1/voice/clone", "/api/v1/voice/profiles"
RATE = 48_000


def melody(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    line = [np.concatenate([vibrato(float(f), 0.8, RATE), rest(0.2, RATE)]) for f in rng.uniform(180, 330, 140)]
    return sing(np.concatenate(line)[: int(seconds * RATE)], RATE, rng)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """35 s of a synthetic singer as FLAC."""
    path = tmp_path_factory.mktemp("clone") / "singer.flac"
    io.encode(path, melody(35), RATE)
    return path.read_bytes()


def form(audio: Any = None, **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        data.add_field(name, value)
    if audio is not None:
        data.add_field("audio", std_io.BytesIO(audio), filename="take.flac", content_type="audio/flac")
    return data


async def refused(client: Client, data: Any) -> tuple[int, dict[str, Any]]:
    async with client.post(CLONE, data=data) as response:
        body = await response.json()
    assert set(body) == {"error", "message", "details"}
    assert isinstance(body["details"]["suggestions"], list)
    return response.status, body


async def test_a_voice_is_cloned_listed_shown_used_and_deleted(
    serve: Serve, recording: bytes, models_dir: Path
) -> None:
    client = await serve(STORAGE__MODELS_DIR=str(models_dir))
    async with client.post(
        CLONE, data=form(recording, user_id="ann", profile_name="Ann [1] ä", consent="Ann, by letter")
    ) as response:
        profile = await response.json()
        assert response.status == 201, profile
    assert profile["user_id"] == "ann"
    assert profile["profile_name"] == "Ann [1] ä"
    assert 150 < profile["vocal_range"]["min_pitch_hz"] < profile["vocal_range"]["max_pitch_hz"] < 400
    assert 0 <= profile["quality_metrics"]["quality_score"] <= 1
    assert profile["audio_info"]["format"] == "flac"
    assert profile["consent"]["statement"] == "Ann, by letter"
    profile_id = profile["profile_id"]

    async with client.get(PROFILES, params={"user_id": "ann"}) as response:
        mine = await response.json()
    assert [p["profile_id"] for p in mine["profiles"] if not p["builtin"]] == [profile_id]
    async with client.get(PROFILES, params={"user_id": "bob"}) as response:
        assert profile_id not in await response.text()
    async with client.get(f"{PROFILES}/{profile_id}") as response:
        assert await response.json() == profile

    socket = await client.ws_connect("/ws/live")
    await socket.send_bytes(msgpack.packb({"type": "hello", "version": 1, "client": "t"}))
    await socket.send_bytes(msgpack.packb({"type": "start", "voice": profile_id, "user_id": "ann"}))
    kinds = [msgpack.unpackb((await socket.receive()).data)["type"] for _ in range(2)]
    assert kinds == ["hello", "start"]
    await socket.close()

    for user, status in (("bob", 403), (None, 403), ("ann", 200), ("ann", 404)):
        params = {} if user is None else {"user_id": user}
        async with client.delete(f"{PROFILES}/{profile_id}", params=params) as response:
            assert response.status == status
    async with client.get(f"{PROFILES}/{profile_id}") as response:
        assert (await response.json())["error"] == "profile_not_found"


async def test_recordings_that_are_none_are_refused_with_their_codes(
    serve: Serve, recording: bytes, models_dir: Path, tmp_path: Path
) -> None:
    client = await serve(STORAGE__MODELS_DIR=str(models_dir), LIMITS__MAX_AUDIO_SIZE_MB="8")
    short = tmp_path / "short.flac"
    io.encode(short, melody(3), RATE)
    long = tmp_path / "long.mp3"
    io.encode(long, np.tile(melody(60), 4), RATE)
    noise = tmp_path / "noise.mp3"
    io.encode(noise, 0.1 * np.random.default_rng(1).standard_normal(35 * RATE).astype(np.float32), RATE)
    for audio, code in (
        (b"", "invalid_audio"),
        (b"no audio " * 1000, "invalid_audio"),
        (os.urandom(50_000), "invalid_audio"),
        (recording[:100], "invalid_audio"),
        (short.read_bytes(), "audio_too_short"),
        (long.read_bytes(), "invalid_audio_duration"),
        (noise.read_bytes(), "poor_audio_quality"),
    ):
        status, body = await refused(client, form(audio, user_id="ann"))
        assert (status, body["error"]) == (400, code), body
        assert body["message"]
    assert (await refused(client, form(bytes(8 * 2**20 + 1), user_id="ann")))[0] == 413
    assert not list((tmp_path / "temp").iterdir())
    async with client.get(PROFILES) as response:
        assert all(p["builtin"] for p in (await response.json())["profiles"])


@pytest.mark.parametrize(
    ("fields", "audio", "code"),
    [
        ({"user_id": "ann"}, None, "missing_required_field"),
        ({}, b"abc", "missing_required_field"),
        ({"user_id": "x" * 101}, b"abc", "invalid_parameter"),
        ({"user_id": "a\x00b"}, b"abc", "invalid_parameter"),
        ({"user_id": "ann", "profile_name": "n" * 101}, b"abc", "invalid_parameter"),
    ],
)
async def test_bad_fields_are_refused(client: Client, fields: dict[str, str], audio: Any, code: str) -> None:
    data = form(audio, **fields)
    status, body = await refused(client, data)
    assert (status, body["error"]) == (400, code)


async def test_a_body_that_is_no_form_is_refused(client: Client) -> None:
    assert (await refused(client, b"RIFF"))[1]["error"] == "invalid_request"
    headers = {"Content-Type": "multipart/form-data"}
    async with client.post(CLONE, data=b"broken", headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (400, "invalid_request")
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with client.post(CLONE, data=b"--x\r\nbroken", headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (400, "invalid_request")


async def test_two_gigabytes_are_refused_while_they_come(client: Client, tmp_path: Path) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        head = b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
        yield head
        for _ in range(2048):
            sent += 1
            yield bytes(2**20)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        async with client.post(CLONE, data=endless(), headers=headers) as response:
            assert response.status == 413
            assert (await response.json())["error"] == "file_too_large"
    except aiohttp.ClientOSError:
        pass  # it may hang up before it has read the answer
    assert sent < 400
    for _ in range(100):
        if not list((tmp_path / "temp").iterdir()):
            break
        await asyncio.sleep(0.05)
    assert not list((tmp_path / "temp").iterdir())


async def test_too_many_at_a_time_are_sent_away(client: Client) -> None:
    client.app[CLONING]._measuring = 2
    status, body = await refused(client, form(b"abc", user_id="ann"))
    assert (status, body["error"]) == (503, "service_unavailable")
    client.app[CLONING]._uploading = 16
    status, body = await refused(client, form(b"abc", user_id="ann"))
    assert (status, body["message"]) == (503, "too many uploads are under way")


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "per_page=0", "limit=100000", "offset=-1", "sort_by=size", "order=up"]
)
async def test_bad_pages_are_refused(client: Client, query: str) -> None:
    async with client.get(f"{PROFILES}?{query}") as response:
        assert (response.status, (await response.json())["error"]) == (400, "invalid_parameter")


async def test_pages_of_builtin_voices(client: Client) -> None:
    async with client.get(f"{PROFILES}?per_page=4&page=2") as response:
        body = await response.json()
    assert len(body["profiles"]) == 4
    assert body["pagination"]["total"] == 12
    assert body["pagination"]["pages"] == 3
    for profile in body["profiles"]:
        assert profile["licence"]
        assert profile["source"]


@pytest.mark.parametrize("profile_id", ["nobody", "..%2f..%2fetc", "a" * 300, "%00", "ARIA"])
async def test_unknown_profiles_are_not_found(client: Client, profile_id: str) -> None:
    for method in ("GET", "DELETE"):
        async with client.request(method, f"{PROFILES}/{profile_id}", params={"user_id": "ann"}) as response:
            assert response.status == 404


async def test_builtin_voices_stay(client: Client) -> None:
    async with client.delete(f"{PROFILES}/aria", params={"user_id": "ann"}) as response:
        assert (response.status, (await response.json())["error"]) == (403, "unauthorized")


async def test_unknown_paths_and_methods_answer_in_the_documented_shape(client: Client) -> None:
    async with client.get("/api/v1/nothing") as response:
        assert (response.status, (await response.json())["error"]) == (404, "not_found")
    async with client.put(PROFILES) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,HEAD" or "GET" in response.headers["Allow"]


async def test_the_page_is_served_with_its_headers(client: Client) -> None:
    async with client.get("/") as response:
        assert response.status == 200
        assert "<title>" in await response.text()
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    async with client.get("/client/js/main.js") as response:
        assert response.content_type in ("text/javascript", "application/javascript")
    async with client.get("/client/../auto_voice/settings.py") as response:
        assert response.status == 404


async def test_a_form_of_thousands_of_parts_is_refused(client: Client) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nv\r\n'
    body = b"".join(part % n for n in range(5000)) + b"--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with client.post(CLONE, data=std_io.BytesIO(body), headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (400, "invalid_request")


async def test_a_killed_measurement_does_not_end_the_service(
    serve: Serve, recording: bytes, models_dir: Path
) -> None:
    client = await serve(STORAGE__MODELS_DIR=str(models_dir))
    first = asyncio.create_task(refused(client, form(recording, user_id="ann")))
    apart = client.app[CLONING].apart
    await until(lambda: bool(apart.processes))
    for process in apart.processes:
        process.kill()
    status, body = await first
    assert (status, body["error"]) == (503, "service_unavailable")
    async with client.post(CLONE, data=form(recording, user_id="ann")) as response:
        assert response.status == 201


async def test_a_full_disk_takes_no_uploads(
    client: Client, recording: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LEAST_FREE_BYTES", 2**60)
    status, body = await refused(client, form(recording, user_id="ann"))
    assert (status, body["error"]) == (507, "insufficient_storage")


async def test_a_field_that_comes_in_pieces_is_one_field(
    serve: Serve, recording: bytes, models_dir: Path
) -> None:
    client = await serve(STORAGE__MODELS_DIR=str(models_dir))

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="user_id"\r\n\r\nanna'
        await asyncio.sleep(0.2)
        yield b'bel\r\n--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
        yield recording + b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with client.post(CLONE, data=slowly(), headers=headers) as response:
        assert (await response.json())["user_id"] == "annabel"


async def test_endless_text_is_refused(client: Client) -> None:
    status, body = await refused(client, form(b"abc", user_id="x" * 70_000))
    assert (status, body["error"]) == (400, "invalid_request")


async def test_where_consent_is_wanted_there_is_no_voice_without(serve: Serve) -> None:
    client = await serve(SECURITY__CONSENT_REQUIRED="true")
    status, body = await refused(client, form(b"RIFF", user_id="ann"))
    assert (status, body["error"]) == (400, "consent_required")
    status, body = await refused(client, form(b"RIFF", user_id="ann", consent="yes, by ann"))
    assert (status, body["error"]) == (400, "invalid_audio")
