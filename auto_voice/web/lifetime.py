"""What runs for as long as the server does, begun in this order and ended in the other."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator

from aiohttp import web

from auto_voice.logs import set_up_logging
from auto_voice.settings import Settings
from auto_voice.storage.in_use import shared
from auto_voice.web import (
    api,
    auth,
    health,
    karaoke,
    metrics,
    reception,
    takes,
    trying,
    voice_import,
    websocket_handler,
)
from auto_voice.web.current import CURRENT
from auto_voice.web.guests import ROOMS
from realtime.rooms.rooms import Bounds

log = logging.getLogger(__name__)


async def _run_engine(app: web.Application) -> AsyncIterator[None]:
    engine = app[websocket_handler.ENGINE]
    began = time.perf_counter()
    # compiles whatever this machine has not compiled yet; nobody is served before
    await asyncio.to_thread(engine.warm)
    await asyncio.to_thread(importlib.import_module, "realtime.transports.webrtc.peer")  # takes a while
    engine.start(asyncio.get_running_loop())
    log.info("engine ready in %.1f s: %s", time.perf_counter() - began, ", ".join(engine.converters))
    yield
    engine.stop()


async def _reload_on_signal(app: web.Application) -> AsyncIterator[None]:
    current = app[CURRENT]
    current.listeners.append(lambda settings: apply(app, settings))
    if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, current.on_signal)
    yield


def apply(app: web.Application, settings: Settings) -> None:
    """Let everything that keeps settings of its own have the new ones."""
    set_up_logging(settings.logging, settings.server.debug)
    app[api.CLONING].settings = settings
    app[health.SUPERVISOR].settings = settings
    app[websocket_handler.SESSIONS].resume_seconds = settings.live.resume_seconds
    app[ROOMS].bounds = room_bounds(settings)


def room_bounds(settings: Settings) -> Bounds:
    """What the settings say of rooms."""
    live = settings.live
    return Bounds(live.rooms, live.room_listeners, live.room_hours, live.resume_seconds)


async def _hold_data(app: web.Application) -> AsyncIterator[None]:
    with shared(app[CURRENT].settings.storage.data_dir):
        yield


async def _watch_loop(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(app[metrics.METRICS].watch_loop())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _run_workers(app: web.Application) -> AsyncIterator[None]:
    supervisor = app[health.SUPERVISOR]
    supervisor.start()
    yield
    await asyncio.to_thread(supervisor.stop)
    app[reception.JOBS].close()
    app[takes.TAKES].close()
    app[auth.USERS].close()


async def _close_cloning(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[api.CLONING].close()
    app[voice_import.IMPORTING].apart.close()
    app[trying.TRYING].close()
    app[reception.EXAMINERS].close()
    app[karaoke.RENDERERS].close()


CONTEXTS = (_hold_data, _reload_on_signal, _run_engine, _watch_loop, _close_cloning, _run_workers)
