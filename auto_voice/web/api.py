"""The REST endpoints about voices, as existing AutoVoice clients speak them."""

from __future__ import annotations

import asyncio

from aiohttp import web

from auto_voice.storage.profiles import ProfileStore
from auto_voice.web import validators
from auto_voice.web.auth import sole_user, whose
from auto_voice.web.cloning import Cloning
from auto_voice.web.metrics import METRICS

STORE = web.AppKey("profile_store", ProfileStore)
CLONING = web.AppKey("cloning", Cloning)


async def clone_voice(request: web.Request) -> web.Response:
    """POST /api/v1/voice/clone: a recording in, a profile out (201)."""
    metrics = request.app[METRICS]
    try:
        profile = await request.app[CLONING].clone(request)
    except BaseException:
        metrics.voice_clones.labels(status="error").inc()
        raise
    metrics.voice_clones.labels(status="success").inc()
    return web.json_response(profile, status=201)


async def list_profiles(request: web.Request) -> web.Response:
    """GET /api/v1/voice/profiles: a page of the profiles that the user may use."""
    page = validators.pagination(request.query)
    sort_by, order = validators.sorting(request.query)
    user_id = whose(request, validators.user_id(request.query))
    items, total = await asyncio.to_thread(
        request.app[STORE].list, user_id, page.offset, page.limit, sort_by=sort_by, order=order
    )
    return web.json_response({"profiles": items, "pagination": page.described(total)})


async def show_profile(request: web.Request) -> web.Response:
    """GET /api/v1/voice/profiles/{id}."""
    store, profile_id = request.app[STORE], request.match_info["profile_id"]
    return web.json_response(await asyncio.to_thread(store.get, profile_id, sole_user(request)))


async def delete_profile(request: web.Request) -> web.Response:
    """DELETE /api/v1/voice/profiles/{id}?user_id=…: only the owner may."""
    profile_id = request.match_info["profile_id"]
    store, user_id = request.app[STORE], whose(request, validators.user_id(request.query))
    await asyncio.to_thread(store.get, profile_id, sole_user(request))
    await asyncio.to_thread(store.delete, profile_id, user_id)
    return web.json_response(
        {"status": "success", "message": "the profile is deleted", "profile_id": profile_id}
    )


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    voice = "/api/v1/voice"
    app.router.add_post(f"{voice}/clone", clone_voice)
    app.router.add_get(f"{voice}/profiles", list_profiles)
    app.router.add_get(f"{voice}/profiles/{{profile_id}}", show_profile)
    app.router.add_delete(f"{voice}/profiles/{{profile_id}}", delete_profile)
