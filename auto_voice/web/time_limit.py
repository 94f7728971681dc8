"""How long the server works at one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# lines that stay open, files that a slow client fetches, and large ones that it sends, with their own limit
UNLIMITED = ("/ws/", "/api/v1/convert/download/", "/api/v1/voice/import")


@web.middleware
async def limit_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give an answer up that takes longer than `server.timeout`, uploads that crawl included.

    Raises:
        ApiError: timeout.
    """
    if request.path.startswith(UNLIMITED):
        return await handler(request)
    limit = request.app[CURRENT].settings.server.timeout
    answering = asyncio.timeout(limit)
    try:
        async with answering:
            return await handler(request)
    except TimeoutError as problem:
        if not answering.expired():
            raise  # somebody else's
        raise ApiError(
            "timeout", f"this took longer than {limit:g} s", "send less, or over a faster line"
        ) from problem
