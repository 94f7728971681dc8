"""How often a client may ask: per key where there is one, per address otherwise."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from limits import RateLimitItemPerHour
from limits.errors import ConfigurationError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from auto_voice.addresses import client_of_address
from auto_voice.settings import SettingsError
from auto_voice.storage.users import KeyRefused
from auto_voice.web.auth import HEADER, PRINCIPAL
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.forward import REMOTE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

READS = ("GET", "HEAD", "OPTIONS")
LIMITED = ("/api/", "/ws/")
FREE = ("/api/v1/health", "/api/v1/openapi.json", "/api/v1/whoami")
COSTLY = {
    ("POST", "/api/v1/voice/clone"): "clones_per_hour",
    ("POST", "/api/v1/convert/song"): "conversions_per_hour",
    ("POST", "/api/v1/karaoke/songs"): "conversions_per_hour",
}
TAKES = re.compile(r"/api/v1/karaoke/takes/[^/]+/(render|audio/[^/]+)")


class RateLimited(ApiError):
    """Too many requests; how long to wait is in `Retry-After`."""

    def __init__(self, what: str, most: int, wait_s: float) -> None:
        super().__init__(
            "rate_limited", f"more than {most} {what} in an hour", f"try again in {max(1, round(wait_s))} s"
        )
        self.headers = {"Retry-After": str(max(1, round(wait_s))), "X-RateLimit-Limit": str(most)}
        self.headers["X-RateLimit-Remaining"] = "0"


@dataclass(frozen=True)
class Allowance:
    """What is left of a limit."""

    most: int
    left: int
    reset: float  # seconds since the epoch


class RateLimits:
    """Counts by moving windows of an hour.

    Args:
        storage_uri: "memory://", for one process, or "redis://…", for all that share it.

    Raises:
        SettingsError: a storage that is not there.
    """

    def __init__(self, storage_uri: str) -> None:
        try:
            storage = storage_from_string(storage_uri)
            if not isinstance(storage, Storage):
                raise ValueError(f"{storage_uri} is one for asyncio")
        except (ValueError, ImportError, ConfigurationError) as problem:
            raise SettingsError(
                f"security.rate_limit_storage: {problem}",
                "use memory://, or redis://HOST:6379 with the extra `redis` installed",
            ) from problem
        self._storage = storage
        self._window = MovingWindowRateLimiter(self._storage)

    async def hit(self, client: str, what: str, most: int) -> Allowance:
        """Count one request.

        Args:
            client: who asks.
            what: for, in words.
            most: in an hour.

        Raises:
            RateLimited: it is one too many; it is not counted.
        """
        if isinstance(self._storage, MemoryStorage):
            return self._hit(client, what, most)
        return await asyncio.to_thread(self._hit, client, what, most)

    def _hit(self, client: str, what: str, most: int) -> Allowance:
        limit = RateLimitItemPerHour(most)
        allowed = self._window.hit(limit, client, what)
        reset, left = self._window.get_window_stats(limit, client, what)
        if not allowed:
            raise RateLimited(what, most, reset - time.time())
        return Allowance(most, left, reset)

    async def left(self, client: str, what: str, most: int) -> int:
        """How many more there may be; nothing is counted."""
        limit = RateLimitItemPerHour(most)
        if isinstance(self._storage, MemoryStorage):
            return self._window.get_window_stats(limit, client, what).remaining
        return (await asyncio.to_thread(self._window.get_window_stats, limit, client, what)).remaining


RATES = web.AppKey("rates", RateLimits)


def address_of(request: web.Request) -> str:
    """The address of a client, behind as many proxies as the settings name.

    Each proxy adds the address that it was called from to `X-Forwarded-For`; only what our own proxies added
    can be believed, and that is counted from the end. Of IPv6 it is the network: a client has 2**64 addresses.
    """
    proxies = request.app[CURRENT].settings.server.proxies
    told = [part.strip() for part in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
    if proxies and len(told) >= proxies:
        try:
            return client_of_address(told[-proxies])
        except ValueError:
            pass  # a proxy that is not set up; its own address is as good as any
    try:
        return client_of_address(request.remote or request.headers.get(REMOTE) or "")
    except ValueError:
        return "unknown"


def client_of(request: web.Request) -> str:
    """Who is counted: the user of a key, or an address."""
    principal = request.get(PRINCIPAL)
    return f"address {address_of(request)}" if principal is None else f"user {principal.user}"


@web.middleware
async def limit_rates(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what is asked too often, and say in headers what is left.

    Raises:
        RateLimited: 429, with `Retry-After`.
    """
    security = request.app[CURRENT].settings.security
    if (
        not security.rate_limiting_enabled
        or not request.path.startswith(LIMITED)
        or request.path.startswith(FREE)
    ):
        return await handler(request)
    costly = COSTLY.get((request.method, request.path)) or _of_take(request)
    if costly is not None:
        what, most = costly.removesuffix("_per_hour"), getattr(security, costly)
    elif request.method in READS:
        what, most = "reads", security.reads_per_hour
    else:
        what, most = "requests", request.app[CURRENT].settings.limits.requests_per_hour
    allowance = await request.app[RATES].hit(client_of(request), what, most)
    response = await handler(request)
    if not response.prepared:
        response.headers.update(headers_of(allowance))
    return response


def _of_take(request: web.Request) -> str | None:
    """The setting that bounds what is asked of a take: its pieces are many, and singing it again is work."""
    asked = TAKES.fullmatch(request.path)
    if asked is None or request.method in READS:
        return None
    return "conversions_per_hour" if asked[1] == "render" else "take_pieces_per_hour"


@web.middleware
async def limit_guesses(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Listen no more to an address that has sent many wrong keys, even if the next one is right.

    Raises:
        RateLimited: 429, with `Retry-After`.
    """
    security = request.app[CURRENT].settings.security
    if not security.rate_limiting_enabled or HEADER not in request.headers:
        return await handler(request)
    guesses = f"address {address_of(request)}", "wrong keys", security.wrong_keys_per_hour
    if not await request.app[RATES].left(*guesses):
        await request.app[RATES].hit(*guesses)
    try:
        return await handler(request)
    except KeyRefused:
        await request.app[RATES].hit(*guesses)
        raise


def headers_of(allowance: Allowance) -> dict[str, str]:
    """As many APIs tell it: most, left, and when it begins anew (seconds since the epoch)."""
    return {
        "X-RateLimit-Limit": str(allowance.most),
        "X-RateLimit-Remaining": str(allowance.left),
        "X-RateLimit-Reset": str(round(allowance.reset)),
    }
