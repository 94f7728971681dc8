"""RVC voices over REST: brought as files, or merged of two."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from auto_voice.apart import Apart
from auto_voice.storage.errors import NotYourProfile
from auto_voice.storage.profile_folder import NewFolder
from auto_voice.storage.profiles import RVC
from auto_voice.voice_import import Brought, Parent, import_voice, merge_voices
from auto_voice.web import uploads
from auto_voice.web.api import STORE
from auto_voice.web.auth import sole_user, whose
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.json_body import number_of, read_object, text_of
from auto_voice.web.metrics import METRICS
from auto_voice.web.uploads import Place, bounded, plain_text
from auto_voice.web.validators import InvalidParameter

MOST_UPLOADS = 4  # at a time; each may be as large as limits.max_model_mb and limits.max_index_mb
MOST_PICTURE_MB = 8
MOST_JSON = 8192
TEXTS = ("user_id", "profile_name", "name", "description", "consent")
EXAMPLE = '{"first": "…", "second": "…", "share": 0.5, "user_id": "…"}'


class Importing:
    """The process that reads what is brought, one voice after another.

    Attributes:
        apart: that process.
        uploads: that are under way.
    """

    def __init__(self, memory_mb: int) -> None:
        self.apart = Apart(1, memory_mb)
        self.uploads = 0


IMPORTING = web.AppKey("importing", Importing)


class Wish(NamedTuple):
    """Whose a new voice is, and what is said of it."""

    user_id: str
    name: str | None
    description: str
    consent: str | None


async def bring(request: web.Request) -> web.Response:
    """POST /voice/import: a `.pth`, and an index and a picture if there are, in; a profile out (201)."""
    async with _counted(request), _temporary(request) as temp:
        limits = request.app[CURRENT].settings.limits
        places = {
            "model": Place(temp / "model", limits.max_model_mb, "model"),
            "index": Place(temp / "index", limits.max_index_mb, "index"),
            "picture": Place(temp / "picture", MOST_PICTURE_MB, "picture"),
        }
        fields, files = await uploads.read_files(request, places, "model")
        wish = await _wish(request, fields)
        own_name = Path(uploads.bare_name(files["model"])).stem[:100]
        index, picture = (places[each].path if each in files else None for each in ("index", "picture"))
        brought = Brought(places["model"].path, index, picture, _settings(fields.get("settings")))
        with bounded("invalid_voice_model", limits.upload_seconds, "choose another file"):
            async with _new_folder(request) as folder:
                facts = await request.app[IMPORTING].apart.run(
                    limits.upload_seconds, import_voice, brought, folder.path
                )
                made = await _keep(folder, facts, wish, wish.name or own_name or "RVC voice")
    return web.json_response(made, status=201)


async def merge(request: web.Request) -> web.Response:
    """POST /voice/merge: two RVC voices of a user in, one between them out (201)."""
    async with _counted(request):
        given = await read_object(request, MOST_JSON, EXAMPLE)
        fields = {name: text_of(given, name, "").strip() for name in ("first", "second", *TEXTS)}
        share = number_of({"share": 0.5} | given, "share", 0.0, 1.0)
        profiles = [await _merged(request, fields, which) for which in ("first", "second")]
        told = [profile["consent"]["statement"] for profile in profiles if "consent" in profile]
        wish = await _wish(
            request, {"consent": " / ".join(told)[:1000]} | {k: v for k, v in fields.items() if v}
        )
        parents = [await asyncio.to_thread(_parent, request, profile) for profile in profiles]
        name = wish.name or " + ".join(profile["profile_name"] for profile in profiles)[:100]
        seconds = request.app[CURRENT].settings.limits.upload_seconds
        with bounded("invalid_voice_model", seconds, "choose other voices"):
            async with _new_folder(request) as folder:
                facts = await request.app[IMPORTING].apart.run(
                    seconds, merge_voices, parents[0], parents[1], share, folder.path
                )
                made = await _keep(folder, facts, wish, name)
    return web.json_response(made, status=201)


async def _merged(request: web.Request, fields: dict[str, str], which: str) -> dict[str, Any]:
    """The profile of a voice that is to be merged."""
    if not fields[which]:
        raise ApiError("missing_required_field", f"{which} is missing", f"send {EXAMPLE}")
    user_id = whose(request, fields["user_id"] or None)
    profile = await asyncio.to_thread(request.app[STORE].get, fields[which], sole_user(request))
    if profile["kind"] != RVC:
        raise InvalidParameter(which, "must be an RVC voice: others are blended while singing")
    if profile["user_id"] != user_id:
        raise NotYourProfile("only voices of one's own can be merged")
    return profile


def _parent(request: web.Request, profile: dict[str, Any]) -> Parent:
    folder = request.app[STORE].files(profile["profile_id"])
    return Parent(folder, profile["settings"]["speaker"], profile["settings"])


async def _wish(request: web.Request, fields: dict[str, str]) -> Wish:
    """What is said of a voice that is to be made, checked.

    Raises:
        ApiError: something is missing, or too long; or the user has too many voices.
    """
    settings = request.app[CURRENT].settings
    user_id = whose(request, plain_text(fields, "user_id", 100))
    if user_id is None:
        raise ApiError("missing_required_field", "user_id is missing", "send who the voice belongs to")
    consent = plain_text(fields, "consent", 1000)
    if consent is None and settings.security.consent_required:
        raise ApiError(
            "consent_required",
            "the consent of whose voice it is, is missing",
            "send in 'consent' who agreed to this voice, and how",
        )
    found, _ = await asyncio.to_thread(request.app[STORE].list, user_id, 0, 1_000_000)
    if sum(profile["kind"] == RVC for profile in found) >= settings.limits.max_models:
        raise ApiError(
            "too_many_voices",
            f"a user may have {settings.limits.max_models} RVC voices here",
            "delete one first",
        )
    name = plain_text(fields, "profile_name", 100) or plain_text(fields, "name", 100)
    return Wish(user_id, name, plain_text(fields, "description", 1000) or "", consent)


def _settings(text: str | None) -> dict[str, Any]:
    """The settings of a form: JSON."""
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError) as problem:
        raise InvalidParameter("settings", 'must be JSON such as {"pitch_semitones": 12}') from problem
    if not isinstance(given, dict):
        raise InvalidParameter("settings", "must be an object")
    return given


async def _keep(folder: NewFolder, facts: dict[str, Any], wish: Wish, name: str) -> dict[str, Any]:
    return await asyncio.to_thread(folder.keep, facts, wish.user_id, name, wish.description, wish.consent)


@asynccontextmanager
async def _counted(request: web.Request) -> AsyncIterator[None]:
    """Count a voice that comes, and refuse one that is too many.

    Raises:
        ApiError: service_unavailable.
    """
    importing, metrics = request.app[IMPORTING], request.app[METRICS]
    if importing.uploads >= MOST_UPLOADS:
        raise ApiError("service_unavailable", "too many voices are being brought", "try again in a minute")
    importing.uploads += 1
    try:
        yield
    except BaseException:
        metrics.voice_imports.labels(status="error").inc()
        raise
    finally:
        importing.uploads -= 1
    metrics.voice_imports.labels(status="success").inc()


@asynccontextmanager
async def _temporary(request: web.Request) -> AsyncIterator[Path]:
    temp = request.app[CURRENT].settings.storage.temp_dir
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=temp, prefix="import-"))
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


@asynccontextmanager
async def _new_folder(request: web.Request) -> AsyncIterator[NewFolder]:
    making = request.app[STORE].new_folder()
    folder = await asyncio.to_thread(making.__enter__)
    try:
        yield folder
    finally:
        await asyncio.to_thread(making.__exit__, None, None, None)


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    app.router.add_post("/api/v1/voice/import", bring)
    app.router.add_post("/api/v1/voice/merge", merge)
