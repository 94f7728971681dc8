"""What tests of takes share: a stage, something sung to it, and the way of a take to the server."""

from __future__ import annotations

import asyncio
import io as std_io
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from auto_voice.jobs.store import JobStore
from auto_voice.storage.database import migrate
from pipeline import io
from pipeline.synthetic import rest, sing, vibrato
from tests.auto_voice.web.conftest import Client

TAKES = "/api/v1/karaoke/takes"
RATE = 48_000
SECONDS = 6.0
FRAMES = round(5.5 * RATE)  # of the voice: it ends before the song
CLICKS = (24_001, 120_003, 230_007)  # samples at 48 kHz


def write_stage(data: Path, song_id: str = "stage-00000000", user_id: str | None = None) -> str:
    """A finished stage in the data of a server that does not run yet: chords with clicks in them."""
    url = f"sqlite:///{data / 'jobs.db'}"
    migrate(url)
    jobs = JobStore(url)
    parameters = {"request": {"preset": "fast"}, "upload": "upload", "song_name": "A tune"}
    jobs.submit("stage", parameters, user_id=user_id, job_id=song_id)
    jobs.claim("test")
    metadata = {"seconds": SECONDS, "key": None, "tempo": None, "separation_model": "spleeter"}
    jobs.complete(song_id, "test", {"files": {}, "metadata": metadata, "notes": []}, 1e6)
    jobs.close()
    t = np.arange(round(SECONDS * RATE)) / RATE
    band = 0.05 * np.stack([np.sin(2 * np.pi * hz * t) for hz in (110, 165)])
    band[:, CLICKS] += 0.8
    result = data / "results" / song_id / "result"
    result.mkdir(parents=True)
    io.encode(result / "accompaniment.flac", band.astype(np.float32), RATE)
    return song_id


@cache
def sung(frames: int = FRAMES, seed: int = 1) -> bytes:
    """A synthetic singer as 16-bit samples."""
    line = [rest(0.2, RATE)]
    for hz in (196, 220, 247, 262, 220, 196):
        line += [vibrato(hz, 0.8, RATE), rest(0.1, RATE)]
    voice = 0.4 * sing(np.concatenate(line), RATE, np.random.default_rng(seed))[:frames]
    return (np.clip(np.pad(voice, (0, frames - len(voice))), -1, 1) * 32767).astype("<i2").tobytes()


async def ask(client: Client, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """A request and its answer in JSON."""
    async with client.request(method, path, **more) as answer:
        return answer.status, await answer.json()


async def begin(client: Client, song_id: str, user: str = "ann", **about: Any) -> str:
    """The id of a new take."""
    status, made = await ask(
        client, "POST", TAKES, params={"user_id": user}, json={"song_id": song_id, "voice": "otto", **about}
    )
    assert status == 201, made
    return str(made["take_id"])


async def send(
    client: Client, take_id: str, track: str, data: bytes, position: int = 0, **query: str
) -> tuple[int, dict[str, Any]]:
    """A piece of a track."""
    path = f"{TAKES}/{take_id}/audio/{track}"
    return await ask(
        client, "PUT", path, params={"position": str(position), **query}, data=std_io.BytesIO(data)
    )


async def whole(client: Client, song_id: str, dry: bytes, voice: bytes, mix: bytes = b"", **about: Any) -> str:
    """A take that is finished."""
    take_id = await begin(client, song_id, **about)
    for track, data, frame in (("dry", dry, 2), ("voice", voice, 2), ("mix", mix, 4)):
        for start in range(0, len(data), 1 << 20):
            piece = data[start : start + (1 << 20)]
            status, got = await send(client, take_id, track, piece, start // frame)
            assert (status, got["received"]) == (200, (start + len(piece)) // frame)
    status, made = await ask(client, "POST", f"{TAKES}/{take_id}/finish", json={"frames": len(dry) // 2})
    assert status == 200, made
    return take_id


async def fetch(client: Client, take_id: str, track: str, suffix: str = "wav", **query: str) -> np.ndarray:
    """A file of a take as (channels, samples) in [-1, 1]."""
    path = f"{TAKES}/{take_id}/audio/{track}"
    async with client.get(path, params={"format": suffix, **query}) as answer:
        assert answer.status == 200, await answer.text()
        content = await answer.read()
    with av.open(std_io.BytesIO(content)) as file:
        assert file.streams.audio[0].sample_rate == RATE
        parts = [frame.to_ndarray() for frame in file.decode(audio=0)]
        channels = file.streams.audio[0].channels
    flat = [part if part.shape[0] == channels else part.reshape(-1, channels).T for part in parts]
    found = np.concatenate(flat, 1)
    return found / (32768 if found.dtype == np.int16 else 1)


async def rendered(client: Client, take_id: str) -> dict[str, Any]:
    """A take once it has been sung again."""
    async with asyncio.timeout(200):
        while True:
            _, take = await ask(client, "GET", f"{TAKES}/{take_id}")
            if take["rendition"]["status"] not in ("queued", "processing"):
                return take
            await asyncio.sleep(0.1)
