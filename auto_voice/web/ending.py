"""How a server ends: songs at work are finished, then the singers are told, then the rest.

On the first signal the workers take no further song, and those at hand have `server.drain_seconds`; meanwhile
everything else goes on, and `/health/ready` tells balancers to send nobody. On the second signal nothing is
waited for. Then connections are refused, live clients are told `shutting_down`, and songs that are not done are
put back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from aiohttp import web
from aiohttp.web_runner import GracefulExit

from auto_voice.web.api import CLONING
from auto_voice.web.current import CURRENT, ENDING
from auto_voice.web.health import SUPERVISOR

log = logging.getLogger(__name__)

LOOK_S = 0.05


class Ender:
    """Hears that the server is to end.

    Args:
        app: the server.
        leave: called when nothing is waited for any more.
    """

    def __init__(self, app: web.Application, leave: Callable[[], None]) -> None:
        self._app = app
        self._leave = leave
        self._task: asyncio.Task[None] | None = None

    def end(self) -> None:
        """Begin to end; called again, end now."""
        if self._task is None:
            self._app[ENDING].set()
            self._task = asyncio.get_running_loop().create_task(self._drain())
        else:
            self._app[SUPERVISOR].hurry()

    async def _drain(self) -> None:
        app = self._app
        seconds = app[CURRENT].settings.server.drain_seconds
        log.info("ending: what is at work has %g s", seconds)
        deadline = time.monotonic() + seconds
        if not await asyncio.to_thread(app[SUPERVISOR].drain, seconds):
            log.info("songs that are not finished are put back")
        while app[CLONING].busy and time.monotonic() < deadline and not app[SUPERVISOR].hurried:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        self._leave()


def leave() -> None:
    """End the loop that runs, as aiohttp would on a signal."""
    asyncio.get_running_loop().call_soon(_raise)


def _raise() -> None:
    raise GracefulExit


def on_signals(parent: int | None = None) -> Callable[[web.Application], AsyncIterator[None]]:
    """An aiohttp cleanup context that has an `Ender` hear SIGTERM and SIGINT.

    Args:
        parent: file descriptor of a pipe from a parent; when that is gone, so is the server soon.
    """

    async def context(app: web.Application) -> AsyncIterator[None]:
        loop, ender = asyncio.get_running_loop(), Ender(app, leave)
        if threading.current_thread() is threading.main_thread():
            with suppress(NotImplementedError):  # Windows: it ends without draining
                loop.add_signal_handler(signal.SIGTERM, ender.end)
                loop.add_signal_handler(signal.SIGINT, ender.end if parent is None else _nothing)
        if parent is not None:
            loop.add_reader(parent, _orphaned, loop, parent, ender)
        yield
        if parent is not None:
            loop.remove_reader(parent)

    return context


def _nothing() -> None:
    """Ctrl+C is the parent's affair."""


def _orphaned(loop: asyncio.AbstractEventLoop, parent: int, ender: Ender) -> None:
    with suppress(OSError):
        os.read(parent, 1)
    loop.remove_reader(parent)
    log.warning("the parent process is gone")
    ender.end()
