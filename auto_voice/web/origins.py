"""Which other sites may use this server from a visitor's browser: none, unless they are named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from auto_voice.addresses import host_name, is_loopback, is_own_name
from auto_voice.web.auth import HEADER
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
METHODS = "GET, POST, PUT, PATCH, DELETE"
ASKED = ("/api/", "/ws/")
PREFLIGHT_SECONDS = "600"


@web.middleware
async def check_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what the page of another site asks for, and answer the browsers of those that may (CORS).

    A request without `Origin` is no browser's cross-site request: programs may ask.

    Raises:
        ApiError: origin_not_allowed.
    """
    origin = request.headers.get("Origin")
    if request.path.startswith(ASKED) and _led_astray(request):
        raise ApiError(
            "origin_not_allowed",
            f"this server is for this machine alone, and not called {request.host[:200]!r}",
            "open it by localhost",
            "behind a proxy set server.proxies, or name the site in security.allowed_origins",
        )
    if origin is None or not request.path.startswith(ASKED) or _same_site(request, origin):
        return await handler(request)
    if origin not in request.app[CURRENT].settings.security.allowed_origins:
        raise ApiError(
            "origin_not_allowed",
            f"pages of {origin[:200]!r} may not use this server",
            "name the site in security.allowed_origins",
        )
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return web.Response(status=204, headers=_preflight(origin))
    response = await handler(request)
    if not response.prepared:
        response.headers.update({"Access-Control-Allow-Origin": origin, "Vary": "Origin"})
    return response


def _same_site(request: web.Request, origin: str) -> bool:
    """Whether a page of this server asks; proxies keep the host (deploy/nginx.conf)."""
    try:
        return urlsplit(origin).netloc == request.host
    except ValueError:  # no browser says that
        return False


def _led_astray(request: web.Request) -> bool:
    """Whether a server that anybody on this machine may use is asked by a name that is not this machine's.

    Then a site has its own name lead here (DNS rebinding), to have its page count as one of ours.
    """
    settings = request.app[CURRENT].settings
    if settings.security.api_key_required or settings.server.proxies or not is_loopback(settings.server.host):
        return False
    host = host_name(request.host)
    if host is None:
        return True
    return not is_own_name(host) and host not in map(_host_of, settings.security.allowed_origins)


def _host_of(origin: str) -> str | None:
    return host_name(origin.partition("//")[2])


def _preflight(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": f"{HEADER}, Content-Type",
        "Access-Control-Max-Age": PREFLIGHT_SECONDS,
        "Vary": "Origin",
    }
