import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from aiohttp import FormData

from auto_voice.web.auth import USERS
from auto_voice.web.voice_import import IMPORTING
from bench.untrained import write_content_vec
from pipeline.content_vec.names import Sizes
from pipeline.synthetic import sing, vibrato
from tests.auto_voice.test_pictures import encoded, picture
from tests.auto_voice.web.conftest import Client, Serve
from tests.checkpoints import write
from tests.pipeline.converters.rvc.indices import make

IMPORT, PROFILES, MERGE = "/api/v1/voice/import", "/api/v1/voice/profiles", "/api/v1/voice/merge"


@pytest.fixture(scope="module")
def content_vec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a network of the right dimensions, and little else."""
    folder = tmp_path_factory.mktemp("models")
    write_content_vec(folder / "contentvec", Sizes(channels=(8,) * 7, inner=8, position_kernel=8))
    return folder


def form(model: bytes | None, index: bytes | None = None, picture: bytes | None = None, **fields: str) -> Any:
    data = FormData(quote_fields=False)
    for name, value in fields.items():
        data.add_field(name, value)
    for name, file in (("model", model), ("index", index), ("picture", picture)):
        if file is not None:
            data.add_field(name, io.BytesIO(file), filename=f"../My {name}.pth")
    return data


async def bring(client: Client, data: Any) -> dict[str, Any]:
    async with client.post(IMPORT, data=data) as response:
        body: dict[str, Any] = await response.json()
        assert response.status == 201, body
    return body


async def refused(client: Client, data: Any) -> tuple[int, dict[str, Any]]:
    async with client.post(IMPORT, data=data) as response:
        return response.status, await response.json()


async def test_an_rvc_voice_is_brought_listed_sung_with_and_deleted(
    serve: Serve, content_vec: Path, tmp_path: Path
) -> None:
    client = await serve(STORAGE__MODELS_DIR=str(content_vec), LIVE__CAPACITY="3", LIVE__RVC__SLOWEST="0")
    pth, index = write(tmp_path / "ann.pth").read_bytes(), make(dims=768).bytes()
    settings = {"pitch_semitones": 12, "index_rate": 0.75}
    made = await bring(client, form(pth, index, user_id="ann", settings=json.dumps(settings)))
    profile_id = made["profile_id"]
    assert (made["kind"], made["profile_name"], made["user_id"]) == ("rvc", "My model", "ann")
    assert made["model"] == {
        "version": "v2",
        "sample_rate": 48_000,
        "speakers": 3,
        "f0": True,
        "info": "20epoch",
        "index_features": 60,
    }
    assert made["settings"] | settings == made["settings"]
    assert made["needs"] == []
    async with client.get(PROFILES, params={"user_id": "ann"}) as response:
        assert made in (await response.json())["profiles"]
    kept = {path.name for path in (tmp_path / "voice_profiles" / profile_id).iterdir()}
    assert kept == {"profile.json", "model.safetensors", "index.safetensors"}
    assert not list((tmp_path / "temp").iterdir())

    sung = sing(vibrato(220, 1.5, 48_000), 48_000, np.random.default_rng(1))
    started, heard = await sing_with(client, profile_id, (sung * 32767).astype("<i2"))
    assert started["converter"] == "rvc"
    assert np.abs(heard).max() > 100

    async with client.delete(f"{PROFILES}/{profile_id}", params={"user_id": "ann"}) as response:
        assert response.status == 200
    assert not list((tmp_path / "voice_profiles").iterdir())


async def sing_with(client: Client, voice: str, pcm: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """Sing samples in a live session until something is heard; its `start`, and what came back."""
    socket = await client.ws_connect("/ws/live")

    async def send(**message: Any) -> None:
        await socket.send_bytes(msgpack.packb(message))

    async def messages() -> AsyncIterator[dict[str, Any]]:
        async for message in socket:
            yield msgpack.unpackb(message.data)

    await send(type="hello", version=1, client="test")
    await send(type="start", voice=voice, user_id="ann")
    back, started = [], {}
    async with asyncio.timeout(100):
        async for message in messages():
            if message["type"] == "start":
                started = message
                for seq, at in enumerate(range(0, len(pcm), 480)):
                    await send(type="audio", seq=seq, position=at, pcm=pcm[at : at + 480].tobytes())
                    await asyncio.sleep(0.02)  # a busy machine is given time: positions count, not arrival
            assert message["type"] != "error", message
            if message["type"] == "audio":
                back.append(np.frombuffer(message["pcm"], "<i2"))
                if np.abs(back[-1]).max() > 100:
                    break
    await socket.close()
    return started, np.concatenate(back)


async def call(client: Client, method: str, path: str, **how: Any) -> tuple[int, dict[str, Any]]:
    async with client.request(method, path, **how) as response:
        return response.status, await response.json()


async def test_a_voice_is_changed_pictured_and_merged_by_its_owner(client: Client, tmp_path: Path) -> None:
    files = [write(tmp_path / f"{seed}.pth", seed=seed).read_bytes() for seed in range(2)]
    face = encoded("png", picture())
    ann, bob = {"user_id": "ann"}, {"user_id": "bob"}
    first = await bring(client, form(files[0], None, face, profile_name="First", consent="by Ann", **ann))
    second = await bring(client, form(files[1], profile_name="Second", **ann))
    one = f"{PROFILES}/{first['profile_id']}"

    async with client.get(first["picture_url"]) as response:
        assert response.status == 200
        assert response.content_type == "image/png"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response.headers["Content-Security-Policy"]
        drawn = await response.read()
    assert drawn.startswith(b"\x89PNG")
    assert drawn != face

    change = {"profile_name": "Ann", "description": "of May", "settings": {"pitch_semitones": -12}}
    for params, status in ((bob, 403), ({}, 403), (ann, 200)):
        assert (await call(client, "PATCH", one, params=params, json=change))[0] == status
    _, told = await call(client, "GET", one)
    assert (told["profile_name"], told["description"]) == ("Ann", "of May")
    assert told["settings"] == first["settings"] | {"pitch_semitones": -12}
    assert told["consent"]["statement"] == "by Ann"
    for bad in (
        {"settings": {"pitch_semitones": 99}},
        {"settings": {"speaker": 3}},
        {"settings": {"volume": 1}},
        {"settings": []},
        {"profile_name": ""},
        {"profile_name": "x" * 101},
        {"user_id": "bob"},
        {"profile_name": 3},
    ):
        status, body = await call(client, "PATCH", one, params=ann, json=bad)
        assert (status, body["error"]) == (400, "invalid_parameter"), bad
    assert (await call(client, "PATCH", f"{PROFILES}/aria", params=ann, json=change))[0] == 403
    assert (await call(client, "PATCH", f"{PROFILES}/none", params=ann, json=change))[0] == 404

    path = f"{one}/picture"
    status, body = await call(client, "PUT", path, params=ann, data=encoded("mjpeg", picture()))
    assert status == 200
    assert body["picture_url"] != first["picture_url"]
    for data, code in ((b"<svg/>", 400), (bytes(9 << 20), 413)):
        assert (await call(client, "PUT", path, params=ann, data=io.BytesIO(data)))[0] == code
    assert (await call(client, "PUT", path, params=bob, data=face))[0] == 403
    assert (await call(client, "DELETE", path, params=bob))[0] == 403
    status, body = await call(client, "DELETE", path, params=ann)
    assert (status, body["picture_url"]) == (200, None)
    assert (await call(client, "GET", path))[0] == 404
    assert not list((tmp_path / "temp").iterdir())

    both = {"first": first["profile_id"], "second": second["profile_id"], "share": 0.25}
    status, merged = await call(client, "POST", MERGE, json=both | ann)
    assert status == 201, merged
    assert (merged["profile_name"], merged["kind"]) == ("Ann + Second", "rvc")
    assert merged["consent"]["statement"] == "by Ann"
    assert merged["model"]["speakers"] == 3
    assert merged["settings"]["pitch_semitones"] == -12
    for wrong, expected in (
        (both | bob, 403),
        (both, 403),
        (both | ann | {"second": "aria"}, 400),
        (both | ann | {"second": "none"}, 404),
        (both | ann | {"share": 2}, 400),
        ({"first": both["first"]} | ann, 400),
    ):
        assert (await call(client, "POST", MERGE, json=wrong))[0] == expected, wrong


async def test_what_is_brought_is_checked(serve: Serve, tmp_path: Path) -> None:
    client = await serve(LIMITS__MAX_MODEL_MB="1", LIMITS__MAX_INDEX_MB="1", LIMITS__MAX_MODELS="1")
    good = write(tmp_path / "good.pth").read_bytes()
    other = write(tmp_path / "other.pth", vocoder="RefineGAN").read_bytes()
    wide = make(dims=16).bytes()
    ann = {"user_id": "ann"}
    for data, status, code, words in (
        (form(b"no zip", **ann), 400, "invalid_voice_model", "no PyTorch file"),
        (form(good[:-100], **ann), 400, "invalid_voice_model", "damaged"),
        (form(other, **ann), 400, "invalid_voice_model", "RefineGAN"),
        (form(good, wide, **ann), 400, "invalid_voice_model", "16 dimensions"),
        (form(good, b"no index", **ann), 400, "invalid_voice_model", "no faiss index"),
        (form(good, None, b"GIF89a", **ann), 400, "invalid_picture", "no picture"),
        (form(good, settings='{"protect": 2}', **ann), 400, "invalid_voice_model", "protect"),
        (form(good, settings="[]", **ann), 400, "invalid_parameter", "settings"),
        (form(good, settings="{", **ann), 400, "invalid_parameter", "settings"),
        (form(good), 400, "missing_required_field", "user_id"),
        (form(None, wide, **ann), 400, "missing_required_field", "model"),
        (form(good, profile_name="x" * 101, **ann), 400, "invalid_parameter", "profile_name"),
        (form(bytes(2 << 20), **ann), 413, "file_too_large", "model is over 1 MB"),
        (form(good, bytes(2 << 20), **ann), 413, "file_too_large", "index is over 1 MB"),
        (b"PK", 400, "invalid_request", "multipart"),
    ):
        found, body = await refused(client, data)
        assert (found, body["error"]) == (status, code), body
        assert words in body["message"]
    assert not list((tmp_path / "temp").iterdir())
    assert not list((tmp_path / "voice_profiles").iterdir())

    first = await bring(client, form(good, **ann))
    assert (await refused(client, form(good, **ann)))[1]["error"] == "too_many_voices"
    await bring(client, form(good, user_id="bob"))
    client.app[IMPORTING].uploads = 4
    assert (await refused(client, form(good, **ann)))[0] == 503

    needs = [{"weights": "contentvec", "command": "autovoice weights contentvec"}]
    assert first["needs"] == needs
    voice = {"voice": first["profile_id"], "text": "Good evening."}
    for path in (f"{PROFILES}/{first['profile_id']}/phrase", "/api/v1/synthesize"):
        status, body = await call(client, "POST", path, json=voice if "synth" in path else None)
        assert (status, body["error"]) == (503, "voice_not_ready")
        assert "autovoice weights contentvec" in body["details"]["suggestions"][0]
    assert (await call(client, "POST", f"{PROFILES}/none/phrase"))[0] == 404


async def test_a_process_that_reads_too_long_is_ended(serve: Serve, tmp_path: Path) -> None:
    client = await serve(LIMITS__UPLOAD_SECONDS="0.01")
    data = form(write(tmp_path / "good.pth").read_bytes(), user_id="ann")
    status, body = await refused(client, data)
    assert (status, body["error"]) == (400, "invalid_voice_model")
    assert "0.01 s" in body["message"]
    assert not list((tmp_path / "voice_profiles").iterdir())


async def test_a_key_reaches_its_own_voices_only(serve: Serve, tmp_path: Path) -> None:
    client = await serve(
        SECURITY__API_KEY_REQUIRED="true",
        SECURITY__CONSENT_REQUIRED="true",
        SECURITY__RATE_LIMITING_ENABLED="true",
        SECURITY__CLONES_PER_HOUR="3",
        SECURITY__CONVERSIONS_PER_HOUR="1",
    )
    users, keys = client.app[USERS], {}
    for name in ("ann", "bob"):
        users.create_user(name)
        keys[name] = {"X-API-Key": users.create_key(name)[0]}
    good = write(tmp_path / "good.pth").read_bytes()
    assert (await refused(client, form(good)))[0] == 401

    async def brought(**fields: str) -> tuple[int, dict[str, Any]]:
        async with client.post(IMPORT, data=form(good, **fields), headers=keys["ann"]) as response:
            return response.status, await response.json()

    assert (await brought())[1]["error"] == "consent_required"
    assert (await brought(user_id="bob", consent="yes"))[0] == 403
    status, made = await brought(consent="yes")
    assert (status, made["user_id"]) == (201, "ann")
    assert (await brought(consent="yes"))[0] == 429
    one = f"{PROFILES}/{made['profile_id']}"
    for method, path, how in (
        ("GET", one, {}),
        ("PATCH", one, {"json": {"profile_name": "Mine"}}),
        ("PUT", f"{one}/picture", {"data": b"x"}),
        ("GET", f"{one}/picture", {}),
        ("POST", f"{one}/phrase", {}),
        ("DELETE", one, {}),
    ):
        assert (await call(client, method, path, headers=keys["bob"], **how))[0] in (403, 404), (method, path)
    merging = {"first": made["profile_id"], "second": made["profile_id"], "consent": "yes"}
    assert (await call(client, "POST", MERGE, headers=keys["bob"], json=merging))[0] == 404
    assert (await call(client, "GET", one, headers=keys["ann"]))[1]["profile_name"] == "My model"
    statuses = [(await call(client, "POST", f"{one}/phrase", headers=keys["ann"]))[0] for _ in range(2)]
    assert statuses == [503, 429]
