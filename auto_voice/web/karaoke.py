"""Stages over REST: make one of a song, read what is to be sung, fetch its tracks in any key and tempo, bring
lyrics.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from aiohttp import web

from auto_voice.apart import Apart
from auto_voice.jobs.model import Job, Status
from auto_voice.jobs.stage import TRACKS
from auto_voice.renditions import MOST_SEMITONES, TEMPOS, render
from auto_voice.songbook import MOST_BYTES, Songbook, copy_upload
from auto_voice.web import uploads, validators
from auto_voice.web.auth import whose
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.guests import ROOMS
from auto_voice.web.job_view import describe
from auto_voice.web.json_body import read_object, text_of
from auto_voice.web.reception import JOBS, enqueue, job_of, look_at, new_folder
from auto_voice.web.song_form import read_preset
from pipeline.karaoke import ultrastar

BASE = "/api/v1/karaoke/songs"
RENDERERS = web.AppKey("renderers", Apart)
RENDER_S = 300.0
MOST_JSON = 4096
LONGEST_TITLE = 200


async def make(request: web.Request) -> web.Response:
    """POST /karaoke/songs: a song as a form, or JSON with the conversion that has it; 202."""
    limits = request.app[CURRENT].settings.limits
    async with new_folder(request, "stage") as folder:
        upload = folder / "upload"
        if request.content_type == "application/json":
            given = await read_object(request, MOST_JSON, '{"conversion_id": "conv-…"}')
            fields = {
                name: text_of(given, name, "") for name in ("conversion_id", "title", "preset", "user_id")
            }
            file_name = await _take_over(request, fields["conversion_id"], upload)
        else:
            fields, file_name = await uploads.read_form(
                request, upload, files=("song", "audio"), max_mb=limits.max_audio_size_mb
            )
        user_id = whose(request, uploads.plain_text(fields, "user_id", 100))
        title = uploads.plain_text(fields, "title", LONGEST_TITLE) or Path(uploads.bare_name(file_name)).stem
        preset = read_preset(fields, request.app[CURRENT].settings.quality)
        seconds = await look_at(request, upload)
        parameters = {"request": {"preset": preset}, "upload": upload.name, "song_name": title}
        job = await enqueue(request, "stage", folder, parameters, user_id, seconds)
    return web.json_response(view(job), status=202)


async def _take_over(request: web.Request, conversion_id: str, upload: Path) -> str:
    """Begin with the song of a conversion; its name."""
    if not conversion_id:
        raise ApiError("missing_required_field", "conversion_id is missing", "or send a song as a form")
    job = await job_of(request, "song", job_id=conversion_id)
    source = request.app[CURRENT].settings.storage.results_dir / job.id / str(job.parameters["upload"])
    try:
        await asyncio.to_thread(copy_upload, source, upload)
    except FileNotFoundError as problem:
        raise ApiError("file_expired", "the song of that conversion is gone", "send it again") from problem
    return str(job.parameters.get("song_name"))


async def show_all(request: web.Request) -> web.Response:
    """GET /karaoke/songs: a user's stages, the newest first."""
    page = validators.pagination(request.query)
    user_id = whose(request, validators.user_id(request.query))
    if user_id is None:
        raise ApiError("missing_parameter", "user_id is missing", "say whose songs")
    found, total = await asyncio.to_thread(
        request.app[JOBS].list, user_id, page.offset, page.limit, kind="stage"
    )
    known = [job for job in found if job.status not in (Status.EXPIRED, Status.CANCELLED)]
    return web.json_response({"songs": [view(job) for job in known], "pagination": page.described(total)})


async def show(request: web.Request) -> web.Response:
    """GET /karaoke/songs/{id}: how far it is; once it is there, with all that is sung."""
    job = await job_of(request, "stage")
    return web.json_response(await whole(request, job))


async def whole(request: web.Request, job: Job) -> dict[str, Any]:
    """A stage in the words of the API; once it is there, with all that is sung.

    Raises:
        ApiError: its files are gone.
    """
    document = view(job)
    if job.status is Status.COMPLETED:
        book = _book(request, job)
        try:
            parts, lyrics = await asyncio.to_thread(book.parts), await asyncio.to_thread(book.lyrics)
        except FileNotFoundError as problem:
            raise gone() from problem
        document |= {"parts": [part.to_json() for part in parts], "has_lyrics": bool(lyrics)}
    return document


async def remove(request: web.Request) -> web.Response:
    """DELETE /karaoke/songs/{id}: for good, whatever state it is in."""
    job = await job_of(request, "stage")
    request.app[ROOMS].end_song(job.id)
    store, folder = request.app[JOBS], request.app[CURRENT].settings.storage.results_dir / job.id
    if not job.status.finished:
        await asyncio.to_thread(store.cancel, job.id)  # its worker lets go of the files
    else:
        await asyncio.to_thread(store.forget, job.id)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return web.json_response({"song_id": job.id, "status": "deleted"})


async def track(request: web.Request) -> web.StreamResponse:
    """GET /karaoke/songs/{id}/audio/{track}?semitones=&tempo=: a FLAC file; tempo in percent."""
    job = await ready(request)
    semitones = validators.whole(request.query, "semitones", 0, -MOST_SEMITONES, MOST_SEMITONES)
    tempo = validators.whole(request.query, "tempo", 100, *TEMPOS)
    return await track_file(request, job, semitones, tempo)


async def track_file(request: web.Request, job: Job, semitones: int, tempo: int) -> web.FileResponse:
    """The track that the path names, of a stage that is there.

    Raises:
        ApiError: no such track, or it is gone.
    """
    name = request.match_info["track"]
    if name not in TRACKS:
        raise ApiError("file_not_found", f"there is no {name[:64]!r}", f"there are {', '.join(TRACKS)}")
    settings = request.app[CURRENT].settings
    path = settings.storage.results_dir / job.id / "result" / f"{name}.flac"
    if not await asyncio.to_thread(path.is_file):
        raise gone()
    if semitones or tempo != 100:
        path = await uploads.within_limits(
            request.app[RENDERERS], RENDER_S, render, settings, path, semitones, tempo
        )
    return web.FileResponse(path, headers={"Content-Type": "audio/flac", "Cache-Control": "private, no-cache"})


async def bring_lyrics(request: web.Request) -> web.Response:
    """PUT /karaoke/songs/{id}/lyrics: an LRC or UltraStar file as the body."""
    job, content = await ready(request), bytearray()
    async for piece in request.content.iter_any():
        content += piece
        if len(content) > MOST_BYTES:
            break  # refused for its size
    await asyncio.to_thread(_book(request, job).bring, bytes(content))
    return web.json_response(await whole(request, job))


async def take_lyrics_away(request: web.Request) -> web.Response:
    """DELETE /karaoke/songs/{id}/lyrics."""
    job = await ready(request)
    await asyncio.to_thread(_book(request, job).take_away)
    return web.json_response(await whole(request, job))


async def as_ultrastar(request: web.Request) -> web.Response:
    """GET /karaoke/songs/{id}/ultrastar: notes and words as an UltraStar file."""
    job = await ready(request)
    tempo = ((job.result or {}).get("metadata") or {}).get("tempo") or {}
    parts = await asyncio.to_thread(_book(request, job).parts)
    named = {"title": str(job.parameters.get("song_name") or "Unknown"), **parts[0].tags}
    first = type(parts[0])(parts[0].notes, parts[0].lines, named)
    text = await asyncio.to_thread(ultrastar.write, (first, *parts[1:]), tempo.get("bpm"))
    headers = {"Content-Disposition": f'attachment; filename="{job.id}.txt"'}
    return web.Response(text=text, content_type="text/plain", charset="utf-8", headers=headers)


async def ready(request: web.Request, job_id: str | None = None) -> Job:
    """The stage of a request, if it is there; `job_id` is in its path without.

    Raises:
        JobNotFound, NotYourJob: as they say. ApiError: it is not there yet, or not any more.
    """
    return checked(await job_of(request, "stage", job_id=job_id))


def checked(job: Job) -> Job:
    """A stage, if it is there.

    Raises:
        ApiError: it is not there yet, or not any more.
    """
    if job.status is Status.EXPIRED:
        raise gone()
    if job.status is not Status.COMPLETED:
        raise ApiError("conversion_incomplete", f"the song is {job.status}", "wait until it is completed")
    return job


def gone() -> ApiError:
    """The error for a stage whose files are gone."""
    return ApiError("file_expired", "the song was kept for its time and is gone", "send it again")


def _book(request: web.Request, job: Job) -> Songbook:
    return Songbook(request.app[CURRENT].settings.storage.results_dir / job.id)


def view(job: Job) -> dict[str, Any]:
    """A stage in the words of the API."""
    document = describe(job)
    kept = (
        "status",
        "progress",
        "current_stage",
        "stage_details",
        "user_id",
        "notes",
        "created_at",
        "expires_at",
    )
    more = ("estimated_time_remaining_seconds", "error", "websocket_url")
    shown = {name: document[name] for name in (*kept, *more) if name in document}
    song = {"song_id": job.id, "title": job.parameters.get("song_name"), **shown}
    if job.status is Status.COMPLETED and job.result is not None:
        known = job.result["metadata"]
        song |= {name: known[name] for name in ("seconds", "key", "tempo", "separation_model")}
        song |= {f"{name}_url": f"{BASE}/{job.id}/audio/{name}" for name in TRACKS}
    return song


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    route = app.router
    route.add_post(BASE, make)
    route.add_get(BASE, show_all)
    route.add_get(f"{BASE}/{{job_id}}", show)
    route.add_delete(f"{BASE}/{{job_id}}", remove)
    route.add_get(f"{BASE}/{{job_id}}/audio/{{track}}", track)
    route.add_put(f"{BASE}/{{job_id}}/lyrics", bring_lyrics)
    route.add_delete(f"{BASE}/{{job_id}}/lyrics", take_lyrics_away)
    route.add_get(f"{BASE}/{{job_id}}/ultrastar", as_ultrastar)
