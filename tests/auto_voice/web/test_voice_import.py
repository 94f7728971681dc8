import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from aiohttp import FormData

from bench.untrained import write_content_vec
from pipeline.content_vec.names import Sizes
from pipeline.synthetic import sing, vibrato
from realtime.protocol import MAX_FRAME
from tests.auto_voice.web.conftest import Client, Serve
from tests.checkpoints import SIZE, content, size_of, write
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
            data.add_field(name, file, filename=f"../My {name}.pth")
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
    client = await serve(STORAGE__MODELS_DIR=str(content_vec), LIVE__CAPACITY="3")
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
