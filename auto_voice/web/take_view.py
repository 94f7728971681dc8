"""A take in the words of the API, and where its files are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from auto_voice.jobs.errors import JobError
from auto_voice.jobs.model import Job
from auto_voice.storage.take_files import CHANNELS, RATE, SamplesFile
from auto_voice.storage.takes import Take
from auto_voice.take_sound import ACCOMPANIMENT
from auto_voice.web.current import CURRENT
from auto_voice.web.reception import JOBS

BASE = "/api/v1/karaoke/takes"
TRACKS = ("voice", "dry", "accompaniment", "mix")


def folder_of(request: web.Request, take: Take) -> Path:
    """Where the files of a take are."""
    return request.app[CURRENT].settings.storage.results_dir / take.id


async def rendition_of(request: web.Request, take: Take) -> Job | None:
    """The job that sings a take again, or has."""
    if take.rendition_id is None:
        return None
    try:
        return await asyncio.to_thread(request.app[JOBS].get, take.rendition_id)
    except JobError:
        return None


async def view(request: web.Request, take: Take) -> dict[str, Any]:
    """A take in the words of the API."""
    folder = folder_of(request, take)
    shown: dict[str, Any] = {
        "take_id": take.id,
        "song_id": take.song_id,
        "user_id": take.user_id,
        "status": "open" if take.frames is None else "finished",
        "sample_rate": RATE,
        **take.about,
        "created_at": iso(take.created_at),
        "expires_at": iso(take.expires_at),
    }
    if take.frames is None:
        files = {name: SamplesFile(folder / f"{name}.pcm", channels) for name, channels in CHANNELS.items()}
        received = await asyncio.to_thread(lambda: {name: file.frames for name, file in files.items()})
        if not await asyncio.to_thread(folder.is_dir):
            shown["status"] = "lost"
        return shown | {"received": received, "most_frames": take.most_frames}
    shown |= {"frames": take.frames, "seconds": round(take.frames / RATE, 6)}
    if not await asyncio.to_thread((folder / ACCOMPANIMENT).is_file):
        shown["status"] = "lost"
    mix = SamplesFile(folder / "mix.pcm", CHANNELS["mix"])
    shown["received"] = {"mix": await asyncio.to_thread(lambda: mix.frames)}
    shown["audio_urls"] = {name: f"{BASE}/{take.id}/audio/{name}" for name in TRACKS}
    job = await rendition_of(request, take)
    if job is not None:
        sent = SamplesFile(folder.with_name(job.id) / "mix.pcm", CHANNELS["mix"])
        shown["rendition"] = {
            "job_id": job.id,
            "status": job.status,
            "progress": round(job.progress, 1),
            "voice": job.parameters["request"]["voice_id"],
            "notes": job.notes,
            "error": job.error,
            "received": {"mix": await asyncio.to_thread(lambda: sent.frames)},
            "websocket_url": f"/ws/conversion/{job.id}",
            "audio_urls": {
                name: f"{BASE}/{take.id}/audio/{name}?rendition=quality" for name in ("voice", "mix")
            },
        }
    return shown


def iso(seconds: float) -> str:
    """A time in the words of the API."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
