"""Takes over REST: begin one, send it in pieces that may be sent again, finish it; list, show, delete."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from aiohttp import web

from auto_voice.songbook import copy_upload
from auto_voice.storage.take_files import CHANNELS, RATE, SamplesFile, finishing
from auto_voice.storage.takes import MixedAgain, Take, TakeFinished, TakeNotFound, TakeStore
from auto_voice.take_sound import SONG, fit_accompaniment
from auto_voice.web import karaoke, uploads, validators
from auto_voice.web.auth import sole_user, whose
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.json_body import read_object, text_of
from auto_voice.web.reception import JOBS
from auto_voice.web.take_form import read_about, whole_of
from auto_voice.web.take_view import BASE, folder_of, rendition_of, view
from auto_voice.web.time_limit import in_time
from auto_voice.web.validators import InvalidParameter

TAKES = web.AppKey("takes", TakeStore)
MOST_JSON = 8192
MOST_CHUNK = 4 * 2**20  # bytes
LEAST_FRAMES = RATE  # a second
MOST_MIXES = 999_999_999
BEYOND = RATE  # samples that a voice may go on after the song


async def make(request: web.Request) -> web.Response:
    """POST /karaoke/takes: a take of a stage, of which nothing has come yet; 201."""
    given = await read_object(request, MOST_JSON, '{"song_id": "stage-…"}')
    about = read_about(given)
    stage = await karaoke.ready(request, text_of(given, "song_id", ""))
    settings = request.app[CURRENT].settings
    await _room(settings.storage.results_dir)
    seconds = float((stage.result or {})["metadata"]["seconds"])
    source = settings.storage.results_dir / stage.id / "result" / "accompaniment.flac"
    take = await asyncio.to_thread(
        request.app[TAKES].make,
        stage.id,
        {"title": stage.parameters.get("song_name"), **about},
        user_id=whose(request, validators.user_id(request.query)),
        most_frames=round(RATE * seconds * 100 / about["tempo"]) + BEYOND,
        most_takes=settings.limits.takes_per_user,
        most_minutes=settings.limits.take_minutes_per_user,
        keep_s=settings.cache.kept_s("take"),
    )
    try:
        await asyncio.to_thread(_prepare, folder_of(request, take), source)
    except OSError as problem:
        await asyncio.to_thread(request.app[TAKES].remove, take.id)
        if isinstance(problem, FileNotFoundError):
            message = "the song was kept for its time and is gone"
            raise ApiError("file_expired", message, "send it again") from problem
        raise
    return web.json_response(await view(request, take), status=201)


def _prepare(folder: Path, source: Path) -> None:
    folder.mkdir(parents=True)
    try:
        copy_upload(source, folder / SONG)  # the take outlives its stage
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


async def show_all(request: web.Request) -> web.Response:
    """GET /karaoke/takes: a user's takes, the newest first."""
    page = validators.pagination(request.query)
    user_id = whose(request, validators.user_id(request.query))
    if user_id is None:
        raise ApiError("missing_parameter", "user_id is missing", "say whose takes")
    found, total = await asyncio.to_thread(request.app[TAKES].list, user_id, page.offset, page.limit)
    shown = [await view(request, take) for take in found]
    return web.json_response({"takes": shown, "pagination": page.described(total)})


async def show(request: web.Request) -> web.Response:
    """GET /karaoke/takes/{id}: what is known of it, and what has come."""
    return web.json_response(await view(request, await take_of(request)))


async def remove(request: web.Request) -> web.Response:
    """DELETE /karaoke/takes/{id}: for good, with what was made of it."""
    take = await take_of(request)
    await asyncio.to_thread(request.app[TAKES].remove, take.id)
    await forget_rendition(request, take)
    await asyncio.to_thread(shutil.rmtree, folder_of(request, take), ignore_errors=True)
    return web.json_response({"take_id": take.id, "status": "deleted"})


async def add(request: web.Request) -> web.Response:
    """PUT /karaoke/takes/{id}/audio/{track}?position=&mixed=: samples of a track, from a place on."""
    take, name = await take_of(request), request.match_info["track"]
    if name not in CHANNELS:
        raise ApiError(
            "file_not_found", f"nothing is sent as {name[:64]!r}", f"there are {', '.join(CHANNELS)}"
        )
    position = validators.whole(request.query, "position", 0, 0, take.most_frames)
    turn = validators.whole(request.query, "mixed", take.about.get("mixed", 0), 0, MOST_MIXES)
    folder, most, store = folder_of(request, take), take.most_frames, request.app[TAKES]
    if rendition_wanted(request) == "quality":
        if name != "mix" or take.rendition_id is None or take.frames is None:
            raise ApiError("file_not_found", "of a take that was sung again, only the mix can be sent")
        folder, most = folder.with_name(take.rendition_id), take.frames
    elif name == "mix" and take.frames is not None:
        most = take.frames  # a finished take can still be mixed
    elif take.frames is not None:
        raise TakeFinished
    data = bytearray()
    async for piece in request.content.iter_any():
        data += piece
        if len(data) > MOST_CHUNK:
            raise ApiError("file_too_large", f"a piece may have {MOST_CHUNK} bytes", "send smaller ones")
    await _room(folder.parent)
    track = SamplesFile(folder / f"{name}.pcm", CHANNELS[name])

    def check() -> None:
        now = store.get(take.id)
        if name == "mix" and now.about.get("mixed", 0) != turn:
            raise MixedAgain
        if take.frames is None and now.frames is not None:
            raise TakeFinished

    try:
        received = await asyncio.to_thread(track.append, position, bytes(data), most, check)
    except FileNotFoundError as problem:
        raise gone() from problem
    return web.json_response({"take_id": take.id, "track": name, "received": received})


async def finish(request: web.Request) -> web.Response:
    """POST /karaoke/takes/{id}/finish: all of it has come; its files have one length from now on."""
    take = await take_of(request)
    async with in_time(request):
        given = await read_object(request, MOST_JSON, '{"frames": 480000}')
    if "frames" not in given:
        raise ApiError("missing_required_field", "frames is missing", "say how many samples the take has")
    frames = whole_of(given, "frames", 1, take.most_frames)
    try:
        async with finishing(folder_of(request, take)):
            ended = await _finished(request, await take_of(request), frames)
    except FileNotFoundError as problem:
        raise gone() from problem
    return web.json_response(await view(request, ended))


async def _finished(request: web.Request, take: Take, frames: int) -> Take:
    """Finish a take, if nobody has; nobody else does meanwhile."""
    if take.frames is not None:
        if frames < take.frames:
            raise TakeFinished
        return take  # the answer to the first time was lost
    if frames < LEAST_FRAMES:
        raise ApiError("audio_too_short", f"the take has {frames / RATE:.1f} s", "sing a second at least")
    folder, settings = folder_of(request, take), request.app[CURRENT].settings
    files = {name: SamplesFile(folder / f"{name}.pcm", channels) for name, channels in CHANNELS.items()}
    received = await asyncio.to_thread(lambda: {name: file.frames for name, file in files.items()})
    wanted = [name for name in CHANNELS if name != "mix" or received[name]]
    missing = [f"{name} from {received[name]} on" for name in wanted if received[name] < frames]
    if missing:
        problem = ApiError("take_incomplete", f"not all has come: {', '.join(missing)}", "send the rest")
        problem.details = {"received": received}
        raise problem
    about = take.about
    if not await asyncio.to_thread((folder / SONG).is_file):
        raise gone()
    length = await uploads.within_limits(
        request.app[karaoke.RENDERERS],
        karaoke.RENDER_S,
        fit_accompaniment,
        settings,
        folder,
        about["semitones"],
        about["tempo"],
        frames,
    )
    ended = await asyncio.to_thread(request.app[TAKES].finish, take.id, length, settings.cache.kept_s("take"))
    for name, file in files.items():  # a mix that came too late is none
        await asyncio.to_thread(file.cut, length if name in wanted else 0)
    return ended


async def take_of(request: web.Request) -> Take:
    """The take that a request is about, if it may be.

    Raises:
        TakeNotFound: none that this user may reach. ApiError: unauthorized: it names somebody else.
    """
    take = await asyncio.to_thread(request.app[TAKES].get, request.match_info["take_id"])
    if sole_user(request) not in (None, take.user_id):
        raise TakeNotFound(take.id)
    asked = whose(request, validators.user_id(request.query))
    if take.user_id is not None and asked not in (None, take.user_id):
        raise ApiError(
            "unauthorized", "this take belongs to somebody else", "send the user_id it was made with"
        )
    return take


def gone() -> ApiError:
    """Rows outlive files where a backup was restored."""
    return ApiError("file_expired", "the sound of this take is gone", "send it again as another take")


def rendition_wanted(request: web.Request) -> str:
    """Read `rendition`: as it was sung `live`, or sung again at `quality`."""
    wanted = request.query.get("rendition", "live")
    if wanted not in ("live", "quality"):
        raise InvalidParameter("rendition", "must be live or quality")
    return wanted


async def forget_rendition(request: web.Request, take: Take) -> None:
    """Give up, or remove, what was sung again."""
    job = await rendition_of(request, take)
    if job is None:
        return
    if not job.status.finished:
        await asyncio.to_thread(request.app[JOBS].cancel, job.id)  # its worker lets go of the files
        return
    await asyncio.to_thread(request.app[JOBS].forget, job.id)
    await asyncio.to_thread(shutil.rmtree, folder_of(request, take).with_name(job.id), ignore_errors=True)


async def _room(folder: Path) -> None:
    free = (await asyncio.to_thread(shutil.disk_usage, folder)).free
    if free < uploads.LEAST_FREE_BYTES:
        raise ApiError("insufficient_storage", "the server's disk is full", "tell the operator")


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    route = app.router
    route.add_post(BASE, make)
    route.add_get(BASE, show_all)
    route.add_get(f"{BASE}/{{take_id}}", show)
    route.add_delete(f"{BASE}/{{take_id}}", remove)
    route.add_put(f"{BASE}/{{take_id}}/audio/{{track}}", add)
    route.add_post(f"{BASE}/{{take_id}}/finish", finish)
