"""Is the server well? For people, load balancers and orchestrators."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from auto_voice import __version__
from auto_voice.device import choose_device, gpu_available, gpu_figures
from auto_voice.jobs.supervisor import Elsewhere, Supervisor
from auto_voice.settings import Settings
from auto_voice.speaking import Speaking
from auto_voice.storage.cache import ContentCache
from auto_voice.web.current import CURRENT, ENDING
from auto_voice.web.websocket_handler import ENGINE

SPEAKING = web.AppKey("speaking", Speaking)
SUPERVISOR: web.AppKey[Supervisor | Elsewhere] = web.AppKey("supervisor")
CACHE_LOOK_S = 60.0  # the size of the cache is looked at no more often: it may have many files
LOW_DISK_BYTES = 200 * 2**20
ENDPOINTS = {
    "page": "/",
    "live": "/ws/live",
    "voice_clone": "/api/v1/voice/clone",
    "voice_profiles": "/api/v1/voice/profiles",
    "convert_song": "/api/v1/convert/song",
    "queue": "/api/v1/queue/status",
    "openapi": "/api/v1/openapi.json",
    "metrics": "/metrics",
    "ready": "/api/v1/health/ready",
    "alive": "/api/v1/health/live",
}


def _storage(settings: Settings) -> str:
    folder = settings.storage.voice_profiles_dir
    if not os.access(folder, os.W_OK):
        return "not writable"
    return "low on space" if shutil.disk_usage(folder).free < LOW_DISK_BYTES else "ok"


class CacheSize:
    """The size of the cache, as it was a minute ago at most.

    Args:
        cache: that is looked at.
        clock: seconds.
    """

    def __init__(self, cache: ContentCache, clock: Callable[[], float] = time.monotonic) -> None:
        self._cache, self._clock = cache, clock
        self._size, self._at = 0, -math.inf
        self._lock = threading.Lock()

    def size_bytes(self) -> int:
        """Of all files; called in threads."""
        with self._lock:
            if self._clock() - self._at > CACHE_LOOK_S:
                self._size, self._at = self._cache.size_bytes(), self._clock()
            return self._size


CACHE_SIZE = web.AppKey("cache_size", CacheSize)


def examine(app: web.Application) -> dict[str, Any]:
    """The health document."""
    engine = app[ENGINE]
    stats = engine.snapshot()
    dead = app[SUPERVISOR].dead
    device = choose_device(app[CURRENT].settings)
    gpu = device.trouble or engine.trouble
    dependencies = {
        "engine": "ok" if engine.running else "not running",
        "storage": _storage(app[CURRENT].settings),
        "workers": "ok" if dead == 0 else f"{dead} not running",
        "gpu": gpu or "ok",
    }
    status = "healthy"
    full = stats.sessions - stats.parked >= stats.capacity  # those parked give way
    if full or any(dependencies[name] != "ok" for name in ("storage", "workers", "gpu")):
        status = "degraded"
    if dependencies["engine"] != "ok":
        status = "unhealthy"
    return {
        "status": status,
        "service": "autovoice",
        "version": __version__,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "gpu_available": gpu_available(),
        "model_loaded": engine.running,
        "gpu": gpu_figures(device.name),
        "models": {"vc_loaded": engine.running, "tts_loaded": app[SPEAKING].loaded},
        "storage": {"cache_size_gb": round(app[CACHE_SIZE].size_bytes() / 2**30, 3)},
        "live": {
            "sessions": stats.sessions,
            "parked": stats.parked,
            "capacity": stats.capacity,
            "converters": engine.converters,
        },
        "dependencies": dependencies,
        "endpoints": ENDPOINTS,
    }


async def health(request: web.Request) -> web.Response:
    """GET /health: everything; 503 when unhealthy."""
    document = await asyncio.to_thread(examine, request.app)
    return web.json_response(document, status=503 if document["status"] == "unhealthy" else 200)


async def alive(request: web.Request) -> web.Response:
    """GET /api/v1/health/live: the process answers."""
    return web.json_response({"status": "alive"})


async def ready(request: web.Request) -> web.Response:
    """GET /api/v1/health/ready: sessions can be taken (503 not_ready otherwise, and when it is ending)."""
    if request.app[ENGINE].running and not request.app[ENDING].is_set():
        return web.json_response({"status": "ready"})
    return web.json_response({"status": "not_ready"}, status=503)


def add_routes(app: web.Application) -> None:
    """Register the endpoints, with and without the API's prefix."""
    for base in ("/health", "/api/v1/health"):
        app.router.add_get(base, health)
        app.router.add_get(f"{base}/live", alive)
        app.router.add_get(f"{base}/ready", ready)
