"""An id for every request: in each line of the log that is about it, and in its answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable

from aiohttp import web

from auto_voice.logs import ABOUT

HEADER = "X-Request-ID"
ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def name_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take the id that a proxy gives, if it is a plain one, or make one up."""
    given = request.headers.get(HEADER, "")
    token = ABOUT.set(given if ID.fullmatch(given) else uuid.uuid4().hex[:16])
    try:
        response = await handler(request)
        if not response.prepared:
            response.headers[HEADER] = ABOUT.get()
        return response
    finally:
        ABOUT.reset(token)
