"""What the owner of a voice changes of it over REST: name, description, settings, picture."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import web

from auto_voice.pictures import MOST_BYTES, draw
from auto_voice.storage.errors import NotYourProfile
from auto_voice.storage.profiles import PICTURE, RVC
from auto_voice.storage.rvc_voices import SETTINGS, described, settings_of
from auto_voice.web import validators
from auto_voice.web.api import STORE
from auto_voice.web.auth import sole_user, whose
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.json_body import read_object, text_of
from auto_voice.web.uploads import bounded, plain_text
from auto_voice.web.validators import InvalidParameter
from auto_voice.web.voice_import import IMPORTING

MOST_JSON = 8192
KNOWN = ("profile_name", "name", "description", "settings")
EXAMPLE = '{"profile_name": "…", "settings": {"pitch_semitones": 12}}'


async def change(request: web.Request) -> web.Response:
    """PATCH /voice/profiles/{id}?user_id=…: name, description, settings; what is not named stays."""
    profile, user_id = await _own(request)
    given = await read_object(request, MOST_JSON, EXAMPLE)
    if unknown := sorted(set(given) - set(KNOWN)):
        raise InvalidParameter(unknown[0][:40], f"is not known; use {', '.join(KNOWN)}")
    fields: dict[str, Any] = {}
    name = plain_text(_texts(given), "profile_name", 100) or plain_text(_texts(given), "name", 100)
    if name is not None:
        fields["profile_name"] = name
    elif "profile_name" in given or "name" in given:
        raise InvalidParameter("profile_name", "must not be empty")
    if "description" in given:
        fields["description"] = plain_text(_texts(given), "description", 1000) or ""
    if "settings" in given:
        fields["settings"] = _settings(profile, given["settings"])
    store = request.app[STORE]
    return web.json_response(
        await asyncio.to_thread(lambda: store.change(profile["profile_id"], user_id, **fields))
    )


def _texts(given: dict[str, Any]) -> dict[str, str]:
    return {name: text_of(given, name, "").strip() for name in ("profile_name", "name", "description")}


def _settings(profile: dict[str, Any], given: Any) -> dict[str, Any]:
    if profile["kind"] != RVC:
        raise InvalidParameter("settings", "are for RVC voices only")
    if not isinstance(given, dict):
        raise InvalidParameter("settings", f"must be an object of {', '.join(SETTINGS)}")
    try:
        return described(settings_of(profile["settings"] | given, profile["model"]["speakers"]))
    except (ValueError, TypeError) as problem:
        raise InvalidParameter("settings", f"cannot be: {problem}") from problem


async def bring_picture(request: web.Request) -> web.Response:
    """PUT /voice/profiles/{id}/picture?user_id=…: a PNG, JPEG or WebP as the body."""
    profile, user_id = await _own(request)
    temp, seconds = request.app[CURRENT].settings.storage.temp_dir, 20.0
    content = bytearray()
    async for piece in request.content.iter_any():
        content += piece
        if len(content) > MOST_BYTES:
            raise ApiError("file_too_large", f"the picture is over {MOST_BYTES >> 20} MB", "send a smaller one")
    path = await asyncio.to_thread(_aside, temp, bytes(content))
    try:
        with bounded("invalid_picture", seconds, "send another"):
            drawn = await request.app[IMPORTING].apart.run(seconds, draw, path)
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)
    return web.json_response(
        await asyncio.to_thread(request.app[STORE].change_picture, profile["profile_id"], user_id, drawn)
    )


def _aside(folder: Path, content: bytes) -> Path:
    with tempfile.NamedTemporaryFile(dir=folder, prefix="picture-", delete=False) as file:
        file.write(content)
        return Path(file.name)


async def take_picture_away(request: web.Request) -> web.Response:
    """DELETE /voice/profiles/{id}/picture?user_id=…."""
    profile, user_id = await _own(request)
    return web.json_response(
        await asyncio.to_thread(request.app[STORE].change_picture, profile["profile_id"], user_id, None)
    )


async def show_picture(request: web.Request) -> web.StreamResponse:
    """GET /voice/profiles/{id}/picture: a PNG that was drawn here."""
    folder = await asyncio.to_thread(
        request.app[STORE].files, request.match_info["profile_id"], sole_user(request)
    )
    path = folder / PICTURE
    if not await asyncio.to_thread(path.is_file):
        raise ApiError("file_not_found", "the voice has no picture", "bring one with PUT")
    headers = {
        "Content-Type": "image/png",
        "Cache-Control": "private, max-age=86400",  # its address changes with it
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return web.FileResponse(path, headers=headers)


async def _own(request: web.Request) -> tuple[dict[str, Any], str | None]:
    """The profile that a request is about, and its owner, who asks."""
    user_id = whose(request, validators.user_id(request.query))
    profile_id = request.match_info["profile_id"]
    profile = await asyncio.to_thread(request.app[STORE].get, profile_id, sole_user(request))
    if profile["builtin"] or profile["user_id"] != user_id:
        raise NotYourProfile("only its owner may change a voice profile")
    return profile, user_id


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    one = "/api/v1/voice/profiles/{profile_id}"
    app.router.add_patch(one, change)
    app.router.add_get(f"{one}/picture", show_picture)
    app.router.add_put(f"{one}/picture", bring_picture)
    app.router.add_delete(f"{one}/picture", take_picture_away)
