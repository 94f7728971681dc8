"""Everything that is measured, by name, for Prometheus. What cannot be measured has no name here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from auto_voice.jobs.model import Status
from auto_voice.jobs.store import JobStore
from auto_voice.share import Share
from auto_voice.storage.profiles import ProfileStore
from auto_voice.web import siblings
from realtime.engine import Engine
from realtime.stats import Window

LAG_EVERY_S = 0.1
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class EngineCollector(Collector):
    """Reads the engine's own figures when somebody asks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """The live metrics of this moment."""
        stats = self._engine.snapshot()
        yield GaugeMetricFamily("autovoice_live_sessions", "Live sessions", stats.sessions)
        yield GaugeMetricFamily("autovoice_live_parked", "Live sessions whose line is lost", stats.parked)
        yield GaugeMetricFamily("autovoice_live_capacity", "Most live sessions", stats.capacity)
        yield GaugeMetricFamily("autovoice_live_busy_ratio", "Compute thread's time at work", stats.busy)
        yield GaugeMetricFamily("autovoice_live_queue_blocks", "Blocks that wait", stats.queue_depth)
        for name, text, p50, p99 in (
            ("step", "Time of a batched step", stats.step_p50_ms, stats.step_p99_ms),
            ("added_delay", "Block received to rendering handed over", stats.added_p50_ms, stats.added_p99_ms),
        ):
            family = GaugeMetricFamily(f"autovoice_live_{name}_seconds", text, labels=["quantile"])
            for quantile, value in (("0.5", p50), ("0.99", p99)):
                if value is not None:
                    family.add_metric([quantile], value / 1000)
            yield family
        yield CounterMetricFamily("autovoice_live_refused", "Sessions refused: full", stats.refused)
        yield CounterMetricFamily("autovoice_live_blocks", "Blocks converted", stats.blocks)
        yield CounterMetricFamily("autovoice_live_gap_samples", "Samples that never came", stats.gap_samples)
        dropped = CounterMetricFamily("autovoice_live_dropped_frames", "Frames dropped", labels=["reason"])
        for reason, count in stats.dropped.items():
            dropped.add_metric([reason], count)
        yield dropped


class JobsCollector(Collector):
    """Counts the conversions of songs when somebody asks."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs

    def collect(self) -> Iterator[Metric]:
        """Conversions by status; finished ones stay counted while their rows are kept."""
        counts = self._jobs.counts()
        family = GaugeMetricFamily("autovoice_conversions", "Conversions of songs", labels=["status"])
        for status in Status:
            family.add_metric([status.value], counts.get(status, 0))
        yield family


class Metrics:
    """All metrics of one server process: its own, and those of what all processes share."""

    def __init__(self, engine: Engine, store: ProfileStore, jobs: JobStore, share: Share | None = None) -> None:
        self._share = share
        self.registry = CollectorRegistry()
        self.registry.register(EngineCollector(engine))
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
        self._lag = Window(600)
        lag = Gauge(
            "autovoice_event_loop_lag_seconds",
            "Event loop wakes late, worst of a minute",
            registry=self.registry,
        )
        lag.set_function(lambda: self._lag.percentile(100) or 0.0)
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
        metrics.requests.labels(request.method, route, str(status)).inc()
        if route != "/ws/live":
            metrics.request_seconds.labels(route).observe(time.perf_counter() - began)


async def _show(request: web.Request) -> web.Response:
    return web.Response(body=await request.app[METRICS].text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def add_routes(app: web.Application) -> None:
    """Register `/metrics`."""
    app.router.add_get("/metrics", _show)
