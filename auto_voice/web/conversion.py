"""Song conversion over REST and WebSocket, as existing AutoVoice clients speak them."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import asdict
from pathlib import Path

from aiohttp import WSMsgType, web

from auto_voice.jobs.errors import JobError, JobNotFound
from auto_voice.jobs.model import Status
from auto_voice.storage.profiles import ProfileStore
from auto_voice.web import uploads, validators
from auto_voice.web.auth import sole_user, whose
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.health import SUPERVISOR
from auto_voice.web.job_view import describe, stage_message
from auto_voice.web.readiness import check_ready
from auto_voice.web.reception import JOBS, enqueue, job_of, look_at, new_folder
from auto_voice.web.song_form import read_song_request
from pipeline.pitch.names import TRACKERS
from pipeline.weights import find

WATCHERS: web.AppKey[set[asyncio.Task[None]]] = web.AppKey("watchers", set[asyncio.Task[None]])
PROFILES = web.AppKey("profiles_of_conversions", ProfileStore)

BASE = "/api/v1/convert"
ORIGINAL = "original"
TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}
WATCH_S = 1.0  # between two messages about a conversion


async def convert_song(request: web.Request) -> web.Response:
    """POST /convert/song: a song and what is wanted of it; 202 with the ids and addresses of the job."""
    app, settings = request.app, request.app[CURRENT].settings
    async with new_folder(request, "conv") as folder:
        upload = folder / "upload"
        fields, file_name = await uploads.read_form(
            request, upload, files=("song", "audio"), max_mb=settings.limits.max_audio_size_mb
        )
        wanted, notes = read_song_request(fields, settings.quality)
        if wanted.pitch_tracker != TRACKERS[0]:
            await asyncio.to_thread(find, wanted.pitch_tracker, settings.storage.models_dir)
        user_id = whose(request, uploads.plain_text(fields, "user_id", 100))
        check_ready(await asyncio.to_thread(app[PROFILES].get, wanted.voice_id, sole_user(request)))
        seconds = await look_at(request, upload)
        parameters = {
            "request": asdict(wanted),
            "upload": upload.name,
            "song_name": uploads.bare_name(file_name),
            "notes": notes,
        }
        job = await enqueue(request, "song", folder, parameters, user_id, seconds)
    document = describe(job)
    document |= {"message": "the song is in the queue", "estimated_time_seconds": job.estimated_seconds}
    return web.json_response(document, status=202)


async def show_status(request: web.Request) -> web.Response:
    """GET /convert/status/{id}."""
    job = await job_of(request)
    waiting = await asyncio.to_thread(request.app[JOBS].position, job) if job.status is Status.QUEUED else None
    return web.json_response(describe(job, waiting))


async def list_jobs(request: web.Request) -> web.Response:
    """GET /convert/jobs?user_id=…: a user's conversions, the newest first."""
    page = validators.pagination(request.query)
    user_id = whose(request, validators.user_id(request.query))
    if user_id is None:
        raise ApiError("missing_parameter", "user_id is missing", "say whose conversions")
    found, total = await asyncio.to_thread(
        request.app[JOBS].list, user_id, page.offset, page.limit, kind="song"
    )
    return web.json_response(
        {"conversions": [describe(job) for job in found], "pagination": page.described(total)}
    )


async def cancel(request: web.Request) -> web.Response:
    """POST /convert/cancel/{id} or DELETE /convert/{id}: give a conversion up."""
    job = await job_of(request)
    return web.json_response(describe(await asyncio.to_thread(request.app[JOBS].cancel, job.id)))


async def download(request: web.Request) -> web.StreamResponse:
    """GET /convert/download/{id}/{file}: a result, in ranges if asked for."""
    job, name = await job_of(request, "song"), request.match_info["file"]
    folder = request.app[CURRENT].settings.storage.results_dir / job.id
    if job.status is Status.EXPIRED:
        raise ApiError("file_expired", "the results were kept for a day and are gone", "convert the song again")
    if name == ORIGINAL:
        path, content_type = folder / str(job.parameters["upload"]), "application/octet-stream"
    else:
        if job.status in (Status.QUEUED, Status.PROCESSING):
            raise ApiError(
                "conversion_incomplete", f"the conversion is {job.status}", "wait until it is completed"
            )
        known = [] if job.result is None else list(job.result["files"].values())
        if name not in known:
            raise ApiError(
                "file_not_found", f"there is no {name[:64]!r}", f"there are {', '.join(known) or 'none'}"
            )
        path, content_type = folder / "result" / name, TYPES[Path(name).suffix]
    if not await asyncio.to_thread(path.is_file):
        raise ApiError("file_expired", "the file is gone", "convert the song again")
    return web.FileResponse(path, headers={"Content-Type": content_type, "Cache-Control": "private, no-cache"})


async def queue_status(request: web.Request) -> web.Response:
    """GET /queue/status."""
    counts = await asyncio.to_thread(request.app[JOBS].counts)
    limits = request.app[CURRENT].settings.limits
    return web.json_response(
        {
            "queued": counts.get(Status.QUEUED, 0),
            "processing": counts.get(Status.PROCESSING, 0),
            "completed": counts.get(Status.COMPLETED, 0),
            "failed": counts.get(Status.FAILED, 0),
            "cancelled": counts.get(Status.CANCELLED, 0),
            "workers": request.app[SUPERVISOR].alive,
            "concurrent_conversions": limits.concurrent_conversions,
            "queue_enabled": limits.queue_enabled,
            "max_queue_size": limits.max_queue_size,
        }
    )


async def watch(request: web.Request) -> web.WebSocketResponse:
    """GET /ws/conversion/{id}: progress until the end."""
    try:
        job = await job_of(request)
    except JobError as problem:
        job, refused = None, problem
    socket = web.WebSocketResponse(heartbeat=30)
    await socket.prepare(request)
    if job is None:
        error = {
            "code": refused.code,
            "message": refused.message,
            "details": {"suggestions": refused.suggestions},
        }
        await socket.send_json({"type": "error", "conversion_id": request.match_info["job_id"], "error": error})
        await socket.close()
        return socket
    gone = asyncio.create_task(_until_closed(socket))
    request.app[WATCHERS].add(gone)
    try:
        while not gone.done():
            await socket.send_json(stage_message(job))
            if job.status.finished:
                break
            await asyncio.wait({gone}, timeout=WATCH_S)
            job = await asyncio.to_thread(request.app[JOBS].get, job.id)
    except (ConnectionError, JobNotFound):
        pass
    finally:
        request.app[WATCHERS].discard(gone)
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
    await socket.close()
    return socket


async def shut_down(app: web.Application) -> None:
    """Let nobody who watches a conversion hold the server up (an aiohttp `on_shutdown` hook)."""
    watchers = app[WATCHERS]
    for gone in list(watchers):
        gone.cancel()


async def _until_closed(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type in (WSMsgType.ERROR, WSMsgType.CLOSE):
            return


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    route = app.router
    route.add_post(f"{BASE}/song", convert_song)
    route.add_get(f"{BASE}/status/{{job_id}}", show_status)
    route.add_get(f"{BASE}/jobs", list_jobs)
    route.add_post(f"{BASE}/cancel/{{job_id}}", cancel)
    route.add_delete(f"{BASE}/{{job_id:conv-[^/]+}}", cancel)
    route.add_get(f"{BASE}/download/{{job_id}}/{{file}}", download)
    route.add_get("/api/v1/queue/status", queue_status)
    route.add_get("/ws/conversion/{job_id}", watch)
