"""Everything that is measured, by name, for Prometheus. What cannot be measured has no name here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from auto_voice.jobs.store import JobStore
from auto_voice.share import Share
from auto_voice.storage.profiles import ProfileStore
from auto_voice.web import siblings
from auto_voice.web.collectors import EngineCollector, GpuCollector, JobsCollector
from realtime.engine import Engine
from realtime.stats import Window

LAG_EVERY_S = 0.1
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TTS_BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """All metrics of one server process: its own, and those of what all processes share."""

    def __init__(
        self, engine: Engine, store: ProfileStore, jobs: JobStore, device: str, share: Share | None = None
    ) -> None:
        self._share = share
        self.registry = CollectorRegistry()
        self.registry.register(EngineCollector(engine))
        self.registry.register(GpuCollector(device))
        self.shared = CollectorRegistry()
        self.shared.register(JobsCollector(jobs))
        self.requests = Counter(
            "autovoice_http_requests", "HTTP requests", ["method", "route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "autovoice_http_request_seconds", "Time to answer", ["route"], registry=self.registry
        )
        self.voice_clones = Counter(
            "autovoice_voice_clones", "Voices made from recordings", ["status"], registry=self.registry
        )
        self.voice_imports = Counter(
            "autovoice_voice_imports", "RVC voices brought or merged", ["status"], registry=self.registry
        )
        self.tts_requests = Counter(
            "autovoice_tts_requests", "Texts that were to be spoken", ["status"], registry=self.registry
        )
        for status in ("success", "error", "cancelled"):
            self.tts_requests.labels(status=status)
        self.tts_seconds = Histogram(
            "autovoice_tts_duration_seconds",
            "Time to speak a text",
            buckets=TTS_BUCKETS,
            registry=self.registry,
        )
        self.tts_first_seconds = Histogram(
            "autovoice_tts_first_audio_seconds",
            "Time until the first sound of a text went out, where it is streamed",
            registry=self.registry,
        )
        self.underruns = Counter(
            "autovoice_live_underruns", "Gaps in playout that pages told of", registry=self.registry
        )
        self._lag = Window(600)
        lag = Gauge(
            "autovoice_event_loop_lag_seconds",
            "Event loop wakes late, worst of a minute",
            registry=self.registry,
        )
        lag.set_function(lambda: self._lag.percentile(100) or 0.0)
        self._tasks = Gauge("autovoice_tasks", "asyncio tasks", registry=self.registry)
        profiles = Gauge("autovoice_voice_profiles", "Voice profiles, built-in ones too", registry=self.shared)
        profiles.set_function(lambda: store.list(limit=0)[1])

    def own(self) -> bytes:
        """The metrics of this process as text."""
        return generate_latest(self.registry)

    async def text(self) -> bytes:
        """All metrics as text; where several processes share the port, theirs too, told apart by `process`."""
        shared = await asyncio.to_thread(generate_latest, self.shared)
        if self._share is None:
            return await asyncio.to_thread(self.own) + shared
        return siblings.together(await siblings.ask_all(self._share, self.own)) + shared

    async def watch_loop(self) -> None:
        """Measure how late the event loop wakes, until cancelled."""
        while True:
            self._tasks.set(len(asyncio.all_tasks()))
            before = time.perf_counter()
            await asyncio.sleep(LAG_EVERY_S)
            self._lag.add(max(0.0, time.perf_counter() - before - LAG_EVERY_S))


METRICS = web.AppKey("metrics", Metrics)


@web.middleware
async def count_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count every request by its route (not its path: that could be anything) and time it."""
    metrics = request.app[METRICS]
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    began = time.perf_counter()
    status = 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as answer:
        status = answer.status
        raise
    finally:
        method = request.method if request.method in METHODS else "other"  # whatever a client makes up
        metrics.requests.labels(method, route, str(status)).inc()
        if route != "/ws/live":
            metrics.request_seconds.labels(route).observe(time.perf_counter() - began)


async def _show(request: web.Request) -> web.Response:
    return web.Response(body=await request.app[METRICS].text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def add_routes(app: web.Application) -> None:
    """Register `/metrics`."""
    app.router.add_get("/metrics", _show)
