"""What can be had of a finished take: its files, and the take sung again offline."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from auto_voice.jobs.model import Status
from auto_voice.jobs.take import DRY, TakeRequest
from auto_voice.songbook import copy_upload
from auto_voice.storage.take_files import CHANNELS, SamplesFile
from auto_voice.storage.takes import Take
from auto_voice.take_sound import ACCOMPANIMENT, MADE, Wanted, make_file
from auto_voice.web import karaoke, uploads
from auto_voice.web.auth import sole_user
from auto_voice.web.conversion import PROFILES
from auto_voice.web.errors import ApiError
from auto_voice.web.json_body import read_object, text_of
from auto_voice.web.readiness import check_ready
from auto_voice.web.reception import enqueue, new_folder
from auto_voice.web.take_form import read_mixing
from auto_voice.web.take_view import BASE, TRACKS, folder_of, rendition_of, view
from auto_voice.web.takes import MOST_JSON, TAKES, forget_rendition, gone, rendition_wanted, take_of
from auto_voice.web.validators import InvalidParameter

FORMATS = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}


async def download(request: web.Request) -> web.StreamResponse:
    """GET /karaoke/takes/{id}/audio/{track}?format=&rendition=: a file; those of a take end together."""
    take, name = await take_of(request), request.match_info["track"]
    if name not in TRACKS:
        raise ApiError("file_not_found", f"there is no {name[:64]!r}", f"there are {', '.join(TRACKS)}")
    suffix = request.query.get("format", "flac")
    if suffix not in FORMATS:
        raise InvalidParameter("format", f"must be one of {', '.join(FORMATS)}")
    wanted = await _wanted(request, take, name, suffix)
    if not await asyncio.to_thread(wanted.source.is_file):
        raise gone()
    path = wanted.target
    if wanted.source.suffix == path.suffix and wanted.song is None:
        path = wanted.source
    elif not await asyncio.to_thread(path.is_file):
        await uploads.within_limits(request.app[karaoke.RENDERERS], karaoke.RENDER_S, make_file, wanted)
    headers = {"Content-Type": FORMATS[suffix], "Cache-Control": "private, no-cache"}
    return web.FileResponse(path, headers=headers)


async def _wanted(request: web.Request, take: Take, name: str, suffix: str) -> Wanted:
    """The file that is asked for, and what it is made of.

    Raises:
        ApiError: the take is not finished, or not sung again yet.
    """
    if take.frames is None:
        raise ApiError("take_incomplete", "the take is not finished", "finish it")
    folder = folder_of(request, take)
    if rendition_wanted(request) == "quality":
        job = await rendition_of(request, take)
        if job is None:
            raise ApiError("file_not_found", "the take was not sung again", "ask for it with POST …/render")
        if job.status is not Status.COMPLETED:
            raise ApiError("conversion_incomplete", f"it is {job.status}", "wait until it is completed")
        again = folder.with_name(job.id)
        voice = again / "result" / "voice.flac"
        if name == "mix":
            return await _mix_of(take, again, voice, folder / ACCOMPANIMENT, suffix)
        if name == "voice":
            return Wanted(voice, 1, take.frames, again / MADE / f"voice.{suffix}")
    if name == "accompaniment":
        return Wanted(folder / ACCOMPANIMENT, 2, take.frames, folder / MADE / f"{name}.{suffix}")
    if name == "mix":
        return await _mix_of(take, folder, folder / "voice.pcm", folder / ACCOMPANIMENT, suffix)
    return Wanted(folder / f"{name}.pcm", CHANNELS[name], take.frames, folder / MADE / f"{name}.{suffix}")


async def _mix_of(take: Take, folder: Path, voice: Path, song: Path, suffix: str) -> Wanted:
    """The mix that a page has sent, with its effects; else one as the faders stood."""
    frames, about = take.frames or 0, take.about
    sent = SamplesFile(folder / "mix.pcm", CHANNELS["mix"])
    turn = about.get("mixed", 0)  # what is being made of an older one is not taken for this one
    if await asyncio.to_thread(lambda: sent.frames) == frames:
        return Wanted(sent.path, sent.channels, frames, folder / MADE / f"mix{turn}.{suffix}")
    gains = about["voice_volume"] ** 2, about["track_volume"] ** 2
    return Wanted(voice, 1, frames, folder / MADE / f"plain_mix{turn}.{suffix}", song, *gains)


async def sing_again(request: web.Request) -> web.Response:
    """POST /karaoke/takes/{id}/render: the dry voice through the song pipeline, as a job; 202."""
    take = await take_of(request)
    given = await read_object(request, MOST_JSON, '{"voice": "otto"}') if request.can_read_body else {}
    if take.frames is None:
        raise ApiError("take_incomplete", "the take is not finished", "finish it first")
    voice_id = text_of(given, "voice", "") or take.about["voice"]
    if not voice_id:
        raise ApiError("missing_required_field", "voice is missing", "say in whose voice")
    check_ready(await asyncio.to_thread(request.app[PROFILES].get, voice_id, sole_user(request)))
    about, frames = take.about, take.frames
    wanted = TakeRequest(voice_id, frames)
    async with new_folder(request, "render") as folder:
        try:
            await asyncio.to_thread(copy_upload, folder_of(request, take) / DRY, folder / DRY)
        except FileNotFoundError as problem:
            raise gone() from problem
        parameters = {"request": asdict(wanted), "upload": DRY, "song_name": about["title"], "take_id": take.id}
        job = await enqueue(request, "take", folder, parameters, take.user_id, frames / 48_000)
    await asyncio.to_thread(request.app[TAKES].sing_again, take.id, job.id)
    await forget_rendition(request, take)  # of before
    return web.json_response(await view(request, await take_of(request)), status=202)


async def mix_again(request: web.Request) -> web.Response:
    """PATCH /karaoke/takes/{id}: other volumes or effects; its mixes go, and can be sent anew."""
    take = await take_of(request)
    change = read_mixing(await read_object(request, MOST_JSON, '{"track_volume": 0.8}'))
    if not change:
        message = "neither voice_volume nor track_volume nor effects is given"
        raise ApiError("missing_required_field", message, "say what is to be otherwise")
    take = await asyncio.to_thread(request.app[TAKES].remix, take.id, change)
    folders = [folder_of(request, take)]
    if take.rendition_id is not None:
        folders.append(folders[0].with_name(take.rendition_id))
    try:
        await asyncio.to_thread(_forget_mixes, folders)
    except FileNotFoundError as problem:
        raise gone() from problem
    return web.json_response(await view(request, take))


def _forget_mixes(folders: list[Path]) -> None:
    for folder in folders:
        if not folder.is_dir():
            continue
        SamplesFile(folder / "mix.pcm", CHANNELS["mix"]).cut(0)
        for file in (folder / MADE).glob("*mix*"):
            file.unlink(missing_ok=True)


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    app.router.add_patch(f"{BASE}/{{take_id}}", mix_again)
    app.router.add_get(f"{BASE}/{{take_id}}/audio/{{track}}", download)
    app.router.add_post(f"{BASE}/{{take_id}}/render", sing_again)
