"""The server: page, REST, live WebSocket, metrics, and the engine behind them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
import sys
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from auto_voice.apart import Apart
from auto_voice.configuration import Current
from auto_voice.device import choose_device, converters
from auto_voice.jobs.store import JobStore
from auto_voice.jobs.supervisor import Elsewhere, Supervisor
from auto_voice.settings import Settings
from auto_voice.share import Share
from auto_voice.speaking import Speaking
from auto_voice.storage.cache import open_cache
from auto_voice.storage.database import migrate
from auto_voice.storage.errors import StorageError
from auto_voice.storage.profiles import ProfileStore
from auto_voice.storage.takes import TakeStore
from auto_voice.storage.users import UserStore
from auto_voice.web import (
    api,
    auth,
    conversion,
    ending,
    forward,
    health,
    karaoke,
    lifetime,
    live_offer,
    metrics,
    openapi,
    pages,
    reception,
    rooms,
    siblings,
    synthesis,
    take_audio,
    takes,
    trying,
    voice_import,
    voice_profile,
    websocket_handler,
)
from auto_voice.web.cloning import Cloning
from auto_voice.web.collectors import RoomsCollector
from auto_voice.web.current import CURRENT, ENDING
from auto_voice.web.errors import errors_as_json
from auto_voice.web.guests import ROOMS, most_sessions, send_away
from auto_voice.web.origins import check_origin
from auto_voice.web.rates import RATES, RateLimits, limit_guesses, limit_rates
from auto_voice.web.request_ids import name_request
from auto_voice.web.request_log import log_request
from auto_voice.web.time_limit import limit_time
from auto_voice.web.tokens import Signer, server_secret
from auto_voice.web.turns import TURNS, Turns, take_turns
from pipeline.voice import Target
from realtime.engine import Engine
from realtime.errors import VoiceNotFound
from realtime.rooms.rooms import Rooms
from realtime.sessions import Sessions

RENDERERS = 1  # tracks that are brought into another key or tempo at a time
EXAMINERS = 2  # songs that are looked at at a time when they come
SHUTDOWN_TIMEOUT_S = 3.0  # that answers under way have to be finished


def _resolver(store: ProfileStore) -> Callable[[str, str | None], Awaitable[Target]]:
    async def resolve(voice_id: str, sole_user: str | None) -> Target:
        try:
            return await asyncio.to_thread(store.voice, voice_id, sole_user)
        except StorageError as problem:
            raise VoiceNotFound(voice_id) from problem

    return resolve


def create_app(
    settings: Settings, read: Callable[[], Settings] | None = None, share: Share | None = None
) -> web.Application:
    """Build the whole server; nothing runs before it is started.

    Args:
        settings: what it is built for.
        read: reads them again, on SIGHUP.
        share: which of several processes on one port this is.
    """
    app = web.Application(
        middlewares=[
            name_request,
            log_request,
            take_turns,
            metrics.count_requests,
            errors_as_json,
            check_origin,
            limit_guesses,
            auth.authenticate,
            limit_rates,
            limit_time,
        ],
    )
    storage = settings.storage
    for folder in (
        storage.voice_profiles_dir,
        storage.models_dir,
        storage.temp_dir,
        storage.cache_dir,
        storage.results_dir,
    ):
        folder.mkdir(parents=True, exist_ok=True)
    migrate(settings.database_url)
    store = ProfileStore(storage.voice_profiles_dir, models_dir=storage.models_dir)
    engine = Engine(
        converters(settings),
        capacity=settings.live.capacity,
        block=48 * settings.live.block_ms,
        max_busy=settings.live.max_step_fraction,
    )
    app[CURRENT] = Current(settings, read)
    app[ENDING] = asyncio.Event()
    app[TURNS] = Turns()
    app[auth.USERS] = UserStore(settings.database_url)
    app[RATES] = RateLimits(settings.security.rate_limit_storage)
    app[auth.SIGNER] = Signer(server_secret(storage.data_dir))
    app[api.STORE] = store
    app[api.CLONING] = Cloning(settings, store)
    app[voice_import.IMPORTING] = voice_import.Importing(settings.limits.upload_memory_mb)
    app[trying.TRYING] = Apart(1, settings.limits.upload_memory_mb)
    app[trying.WAITING] = []
    app[websocket_handler.ENGINE] = engine
    app[ROOMS] = all_rooms = Rooms(lifetime.room_bounds(settings), 0 if share is None else share.index)
    app[websocket_handler.SESSIONS] = sessions = Sessions(
        engine,
        settings.live.resume_seconds,
        most_of=lambda client: most_sessions(client, settings.live.sessions_per_client, all_rooms),
    )
    all_rooms.on_gone = partial(send_away, sessions)
    app[websocket_handler.RESOLVE_VOICE] = _resolver(store)
    app[websocket_handler.CONVERSATIONS] = {}
    app[reception.JOBS] = JobStore(settings.database_url)
    app[takes.TAKES] = TakeStore(settings.database_url)
    app[health.SUPERVISOR] = (
        Supervisor(settings, app[reception.JOBS], None if share is None else share.workers)
        if share is None or share.index == 0
        else Elsewhere(settings, share.workers)
    )
    app[conversion.PROFILES] = app[synthesis.VOICES] = store
    app[health.SPEAKING] = Speaking(settings)
    app[health.CACHE_SIZE] = health.CacheSize(open_cache(settings))
    app[reception.EXAMINERS] = Apart(EXAMINERS, settings.limits.upload_memory_mb)
    app[karaoke.RENDERERS] = Apart(RENDERERS, settings.limits.upload_memory_mb)
    app[conversion.WATCHERS] = set()
    app[reception.COMING] = set()
    app[metrics.METRICS] = metrics.Metrics(
        engine, store, app[reception.JOBS], choose_device(settings).name, share
    )
    app[metrics.METRICS].registry.register(RoomsCollector(app[ROOMS]))
    app.on_response_prepare.append(pages.add_headers)
    app.on_shutdown.extend([rooms.shut_down, websocket_handler.shut_down, conversion.shut_down])
    app.cleanup_ctx.extend(lifetime.CONTEXTS)
    if share is not None:
        forward.add(app, share)
        app.cleanup_ctx.append(siblings.answering(share, app[metrics.METRICS].own, forward.TAKEN))
    synthesis.add_routes(app)
    pages.add_routes(app)
    app.router.add_get("/ws/live", websocket_handler.live)
    live_offer.add_routes(app)
    auth.add_routes(app)
    api.add_routes(app)
    voice_import.add_routes(app)
    trying.add_routes(app)
    voice_profile.add_routes(app)
    conversion.add_routes(app)
    karaoke.add_routes(app)
    rooms.add_routes(app)
    takes.add_routes(app)
    take_audio.add_routes(app)
    health.add_routes(app)
    if settings.monitoring.prometheus_enabled:
        metrics.add_routes(app)
    openapi.add_routes(app)
    return app


async def _settle(app: web.Application) -> None:
    """Let collections of garbage leave out what is loaded by now: a look at all of it stops singers."""
    gc.collect()
    gc.freeze()


def serve(
    app: web.Application,
    settings: Settings,
    ssl_context: ssl.SSLContext | None = None,
    ready: Callable[[], None] = lambda: None,
    share: Share | None = None,
    parent: int | None = None,
) -> None:
    """Serve until interrupted or terminated, and what is at work then is done (`auto_voice/web/ending.py`).

    Args:
        app: what `create_app` made.
        settings: the host and the port.
        ssl_context: serve https with it.
        ready: called once connections are taken.
        share: which of several processes on this port this is.
        parent: file descriptor of a pipe from the process that started it; without that one, it ends.

    Raises:
        OSError: the port is taken or the address is not this machine's.
    """
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):  # not on Windows
        import uvloop

        loop_factory = uvloop.new_event_loop
    loop = loop_factory()
    loop.set_debug(settings.server.debug)
    app.cleanup_ctx.append(ending.on_signals(parent))
    app.on_startup.append(_settle)  # after all contexts
    web.run_app(
        app,
        host=settings.server.host,
        port=settings.server.port,
        reuse_port=share is not None,
        ssl_context=ssl_context,
        access_log=None,
        print=lambda text: ready(),
        loop=loop,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
    )


if __name__ == "__main__":
    from auto_voice.cli import main

    sys.argv[1:1] = ["serve"]
    main()
