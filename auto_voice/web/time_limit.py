"""How long the server works at one answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# lines that stay open, files that a slow client fetches, and large ones that it sends, with their own limit
UNLIMITED = ("/ws/", "/api/v1/convert/download/", "/api/v1/voice/import")
# sound that may have to be made first, which has its own limit, as has the work of a finished take
SOUND = re.compile(r"(GET|HEAD) /api/v1/karaoke/(takes|rooms|songs)/[^/]+/audio/.+")
FINISH = re.compile(r"POST /api/v1/karaoke/takes/[^/]+/finish")  # reads its body within `in_time`


@web.middleware
async def limit_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give an answer up that takes longer than `server.timeout`, uploads that crawl included.

    Raises:
        ApiError: timeout.
    """
    asked = f"{request.method} {request.path}"
    if request.path.startswith(UNLIMITED) or SOUND.fullmatch(asked) or FINISH.fullmatch(asked):
        return await handler(request)
    async with in_time(request):
        return await handler(request)


@asynccontextmanager
async def in_time(request: web.Request) -> AsyncIterator[None]:
    """Give up what takes longer than `server.timeout`.

    Raises:
        ApiError: timeout.
    """
    limit = request.app[CURRENT].settings.server.timeout
    answering = asyncio.timeout(limit)
    try:
        async with answering:
            yield
    except TimeoutError as problem:
        if not answering.expired():
            raise  # somebody else's
        raise ApiError(
            "timeout", f"this took longer than {limit:g} s", "send less, or over a faster line"
        ) from problem
