"""Singers come first: while somebody sings, other requests leave the event loop half of its time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from auto_voice.web.websocket_handler import CONVERSATIONS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SHARE = 0.5  # of the loop's time that may be spent while requests wait
TURN_S = 0.02  # that one request has at most before the next may begin
LONGEST_REST_S = 0.05  # between two of them, however busy singers keep the loop
UNBOUND = ("/ws/", "/api/v1/live/")  # these are the singers


class Turns:
    """Lets requests be answered one by one, in the order in which they came, with rests in between.

    Each costs the loop up to a millisecond, and threads that compete with the engine's for the interpreter.
    Hundreds that come at once would be handled in one go, and audio would wait behind them all; one at a time,
    it waits behind one. A request that takes long gives its turn up: it waits for something itself.

    Args:
        now, spent: seconds, and those of them that this thread was at work.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._now, self._spent = now, spent
        self._one = asyncio.Lock()
        self._at = self._work = self._owed = 0.0

    def rest_s(self) -> float:
        """How long to wait until the share is kept; to be asked at each turn."""
        now, work = self._now(), self._spent()
        self._owed = max(0.0, self._owed + (work - self._work) - SHARE * (now - self._at))
        self._at, self._work = now, work
        rest = min(LONGEST_REST_S, self._owed / SHARE)
        self._owed = min(self._owed, SHARE * LONGEST_REST_S)  # what is more is forgiven
        return rest

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it for a while."""
        await self._one.acquire()
        over = False

        def leave() -> None:
            nonlocal over
            if not over:
                over = True
                self._one.release()

        limit = asyncio.get_running_loop().call_later(TURN_S, leave)
        try:
            await asyncio.sleep(self.rest_s())
            yield
        finally:
            limit.cancel()
            leave()


TURNS = web.AppKey("turns", Turns)


@web.middleware
async def take_turns(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let singers' audio pass before anybody else's request."""
    if not request.app[CONVERSATIONS] or request.path.startswith(UNBOUND):
        return await handler(request)
    async with request.app[TURNS].turn():
        return await handler(request)
