"""`POST /api/v1/voice/profiles/{id}/phrase`: what a voice sounds like, without a microphone."""

from __future__ import annotations

import asyncio

from aiohttp import web

from auto_voice.apart import Apart
from auto_voice.trying import CONTENT_TYPE, sing_phrase
from auto_voice.web.api import STORE
from auto_voice.web.auth import sole_user
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.readiness import check_ready, not_ready
from auto_voice.web.uploads import bounded
from pipeline.errors import WeightsUnavailable

PATH = "/api/v1/voice/profiles/{profile_id}/phrase"
MOST_WAITING = 4
TRYING = web.AppKey("trying", Apart)
WAITING = web.AppKey("trying_waits", list[str])  # ids of voices whose phrases are being sung


async def phrase(request: web.Request) -> web.Response:
    """The phrase in a voice, as a FLAC file.

    Raises:
        ApiError: voice_not_ready (it needs weights that are not here), service_unavailable.
        StorageError: there is no such voice.
    """
    app, settings = request.app, request.app[CURRENT].settings
    profile_id = request.match_info["profile_id"]
    profile = await asyncio.to_thread(app[STORE].get, profile_id, sole_user(request))
    check_ready(profile)
    waiting = app[WAITING]
    if len(waiting) >= MOST_WAITING:
        raise ApiError("service_unavailable", "too many voices are being tried", "try again in a minute")
    waiting.append(profile_id)
    seconds = settings.limits.upload_seconds
    try:
        with bounded("voice_not_ready", seconds, "try again when fewer sing"):
            sound = await app[TRYING].run(seconds, sing_phrase, settings, profile_id)
    except WeightsUnavailable as problem:
        raise not_ready(profile["profile_name"], *problem.suggestions) from problem
    finally:
        waiting.remove(profile_id)
    return web.Response(body=sound, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def add_routes(app: web.Application) -> None:
    """Register the endpoint."""
    app.router.add_post(PATH, phrase)
