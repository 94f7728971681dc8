"""Who makes a request: an API key, or what stands in for one where a browser cannot send a header.

- `X-API-Key`: programs.
- A ticket in the address (`?ticket=`), for a minute: their WebSockets and downloads.
- A cookie, for half a day: the page, after its user has given it a key once. Scripts cannot read it, and
  browsers send it from this page only (SameSite=Strict), so other sites cannot use it.
- Another cookie, for who sings in a room without a key (`auto_voice/web/guests.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from auto_voice.storage.users import Principal, UserStore
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.guests import guest_of
from auto_voice.web.tokens import Signer

HEADER = "X-API-Key"
COOKIE = "autovoice"
COOKIE_SECONDS = 12 * 3600
USERS = web.AppKey("users", UserStore)
SIGNER = web.AppKey("signer", Signer)
PRINCIPAL = web.RequestKey("principal", Principal)
BY_PAGE = web.RequestKey("by_page", bool)
# The page itself, and what watches the server, need no key; nobody's things are there.
OPEN_PAGES = ("/", "/song", "/karaoke")
OPEN = (
    "/client/",
    "/health",
    "/api/v1/health",
    "/api/v1/openapi.json",
    "/api/v1/whoami",
    "/metrics",
    "/api/v1/karaoke/rooms/",  # who has the code may come in
    "/ws/room/",
)
BY_TICKET = ("/ws/", "/api/v1/convert/download/", "/api/v1/karaoke/")
READING = ("GET", "HEAD")  # an address that somebody else gets hold of changes nothing

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nobody in without a key where one is required; note whose key it was.

    Raises:
        ApiError: api_key_required. KeyRefused: invalid_api_key.
    """
    principal = await _principal(request)
    if principal is not None:
        request[PRINCIPAL] = principal
    elif _needs_key(request):
        raise ApiError("api_key_required", "this needs an API key", f"send it in the header {HEADER}")
    return await handler(request)


async def _principal(request: web.Request) -> Principal | None:
    users, signer = request.app[USERS], request.app[SIGNER]
    if HEADER in request.headers:
        return await asyncio.to_thread(users.verify, request.headers[HEADER])
    key_id = None
    if "ticket" in request.query and request.method in READING and request.path.startswith(BY_TICKET):
        key_id = signer.key_of(request.query["ticket"], "ticket")
    elif COOKIE in request.cookies:
        key_id = signer.key_of(request.cookies[COOKIE], "page")
        request[BY_PAGE] = True
    elif (guest := guest_of(request, signer)) is not None:
        request[BY_PAGE] = True
        return guest
    return None if key_id is None else await asyncio.to_thread(users.find, key_id)


def _needs_key(request: web.Request) -> bool:
    if not request.app[CURRENT].settings.security.api_key_required:
        return False
    return request.path not in OPEN_PAGES and not request.path.startswith(OPEN)


def whose(request: web.Request, asked: str | None) -> str | None:
    """The user whose things a request is about: the key's, unless an admin asks for somebody else's.

    The page names its users as long as it knows no better: what it says means nothing once they have a key.

    Args:
        request: that has been authenticated.
        asked: the `user_id` that it names.

    Raises:
        ApiError: unauthorized, to reach somebody else's.
    """
    principal: Principal | None = request.get(PRINCIPAL)
    if principal is not None and request.get(BY_PAGE):
        return principal.user
    own = sole_user(request)
    if own is None:
        return asked
    if asked not in (None, own):
        raise ApiError("unauthorized", "that belongs to somebody else", f"this key is {own!r}'s")
    return own


def sole_user(request: web.Request) -> str | None:
    """The only user whose things may be reached; None where there is no such bound."""
    principal: Principal | None = request.get(PRINCIPAL)
    return None if principal is None or principal.is_admin else principal.user


async def ticket(request: web.Request) -> web.Response:
    """POST /api/v1/ticket: stands in for the key in the address of a WebSocket or a download.

    Raises:
        ApiError: api_key_required.
    """
    seconds = request.app[CURRENT].settings.security.ticket_seconds
    text = request.app[SIGNER].issue(_known(request).key_id, "ticket", seconds)
    return web.json_response({"ticket": text, "expires_in_seconds": seconds})


async def login(request: web.Request) -> web.Response:
    """POST /api/v1/login: let the page of this browser in with the key of the header, for half a day.

    Raises:
        ApiError: api_key_required.
    """
    principal = _known(request)
    response = web.json_response(_described(request))
    response.set_cookie(
        COOKIE,
        request.app[SIGNER].issue(principal.key_id, "page", COOKIE_SECONDS),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="Strict",
        secure=request.secure or request.headers.get("X-Forwarded-Proto") == "https",
    )
    return response


async def logout(request: web.Request) -> web.Response:
    """POST /api/v1/logout: the page of this browser is nobody's again."""
    response = web.json_response({"status": "success"})
    response.del_cookie(COOKIE)
    return response


async def who(request: web.Request) -> web.Response:
    """GET /api/v1/whoami: whether a key is needed, and whose was given."""
    return web.json_response(_described(request))


def _known(request: web.Request) -> Principal:
    principal: Principal | None = request.get(PRINCIPAL)
    if principal is None:
        raise ApiError("api_key_required", "this is made for a key", f"send it in the header {HEADER}")
    return principal


def _described(request: web.Request) -> dict[str, object]:
    principal: Principal | None = request.get(PRINCIPAL)
    return {
        "api_key_required": request.app[CURRENT].settings.security.api_key_required,
        "user": None if principal is None else principal.user,
        "role": None if principal is None else principal.role,
    }


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    app.router.add_post("/api/v1/ticket", ticket)
    app.router.add_post("/api/v1/login", login)
    app.router.add_post("/api/v1/logout", logout)
    app.router.add_get("/api/v1/whoami", who)
