"""Metrics that are read where they are known when somebody asks for them."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from auto_voice.jobs.model import Status
from auto_voice.jobs.store import JobStore
from realtime.engine import Engine
from realtime.rooms.rooms import Rooms

BUCKETS_S = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, math.inf)
ENDINGS = {Status.COMPLETED: "success", Status.FAILED: "error", Status.CANCELLED: "cancelled"}


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
        yield GaugeMetricFamily(
            "autovoice_gpu_failed",
            "1: the GPU was lost or full, and the CPU does its work",
            bool(self._engine.trouble),
        )
        yield CounterMetricFamily("autovoice_live_refused", "Sessions refused: full", stats.refused)
        yield CounterMetricFamily("autovoice_live_blocks", "Blocks converted", stats.blocks)
        yield CounterMetricFamily("autovoice_live_gap_samples", "Samples that never came", stats.gap_samples)
        yield CounterMetricFamily(
            "autovoice_live_concealed_samples", "Samples made up for lost ones", stats.concealed_samples
        )
        dropped = CounterMetricFamily("autovoice_live_dropped_frames", "Frames dropped", labels=["reason"])
        for reason, count in stats.dropped.items():
            dropped.add_metric([reason], count)
        yield dropped


class RoomsCollector(Collector):
    """Counts rooms and who is in them when somebody asks."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def collect(self) -> Iterator[Metric]:
        """The rooms of this moment."""
        stats = self._rooms.snapshot()
        yield GaugeMetricFamily("autovoice_rooms", "Rooms of karaoke that are open", stats.rooms)
        members = GaugeMetricFamily("autovoice_room_members", "Who is in them", labels=["role"])
        members.add_metric(["singer"], stats.singers)
        members.add_metric(["listener"], stats.listeners)
        yield members
        yield CounterMetricFamily(
            "autovoice_room_dropped_messages", "Audio that members were too slow for", stats.dropped
        )


class JobsCollector(Collector):
    """Counts the conversions of songs when somebody asks, and those that ended since it was made.

    Args:
        jobs: the conversions.
        clock: seconds since the epoch.
    """

    def __init__(self, jobs: JobStore, clock: Callable[[], float] = time.time) -> None:
        self._jobs = jobs
        self._since = clock()
        self._seen: set[str] = set()  # of those that ended at that moment
        self._ended: Counter[str] = Counter(dict.fromkeys(ENDINGS.values(), 0))
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Conversions by status; finished ones stay counted while their rows are kept."""
        counts = self._jobs.counts()
        with self._lock:
            self._note()
            yield self._requests()
            yield self._durations()
        yield GaugeMetricFamily(
            "autovoice_active_conversions", "Songs being converted", counts.get(Status.PROCESSING, 0)
        )
        family = GaugeMetricFamily("autovoice_conversions", "Conversions of songs", labels=["status"])
        for status in Status:
            family.add_metric([status.value], counts.get(status, 0))
        yield family

    def _note(self) -> None:
        """Count what has ended since the last time."""
        for job_id, status, moment, seconds in self._jobs.finished_since(self._since):
            if job_id in self._seen:
                continue
            if moment > self._since:
                self._since, self._seen = moment, set()
            self._seen.add(job_id)
            self._ended[ENDINGS[status]] += 1
            if status is Status.COMPLETED:
                self._seconds += seconds
                self._buckets[next(bound for bound in BUCKETS_S if seconds <= bound)] += 1

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            "autovoice_vc_requests", "Conversions of songs that ended", labels=["status"]
        )
        for status, count in self._ended.items():
            family.add_metric([status], count)
        return family

    def _durations(self) -> Metric:
        total, buckets = 0, []
        for bound in BUCKETS_S:
            total += self._buckets[bound]
            buckets.append(("+Inf" if bound == math.inf else f"{bound:g}", float(total)))
        family = HistogramMetricFamily("autovoice_vc_duration_seconds", "Time to convert a song")
        family.add_metric([], buckets, self._seconds)
        return family


class GpuCollector(Collector):
    """Reads how much memory of the card networks take."""

    def __init__(self, device: str) -> None:
        self._device = device

    def collect(self) -> Iterator[Metric]:
        """Bytes; none are taken where there is no card."""
        taken = total = 0
        if self._device != "cpu":
            import torch

            taken = torch.cuda.memory_allocated(self._device)
            total = torch.cuda.get_device_properties(self._device).total_memory
        yield GaugeMetricFamily(
            "autovoice_gpu_memory_total_bytes", "Memory of the GPU; 0: there is none", total
        )
        yield GaugeMetricFamily(
            "autovoice_gpu_memory_used_bytes", "Memory of the GPU that networks take", taken
        )
