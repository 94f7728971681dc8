"""A line of the log for each request of the API, where `logging.requests` asks for them."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from auto_voice.web.current import CURRENT
from auto_voice.web.rates import client_of

log = logging.getLogger("auto_voice.requests")

TOLD = ("/api/", "/ws/")
QUIET = "/api/v1/health"  # monitors ask all the time

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def log_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell of a request when it has been answered: by its route, never by its address, where tickets stand."""
    wanted = request.app[CURRENT].settings.logging.requests
    if not wanted or not request.path.startswith(TOLD) or request.path.startswith(QUIET):
        return await handler(request)
    began, status = time.perf_counter(), 0  # nobody waited for the answer
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        resource = request.match_info.route.resource
        endpoint = "unknown" if resource is None else resource.canonical
        seconds = round(time.perf_counter() - began, 4)
        log.info(
            "%s %s %d in %g s",
            request.method,
            endpoint,
            status,
            seconds,
            extra={
                "endpoint": endpoint,
                "method": request.method,
                "status": status,
                "processing_time": seconds,
                "client": client_of(request),
            },
        )
