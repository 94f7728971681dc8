"""Keeps the workers alive, and the folders and the table of jobs tidy; a thread of the server."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
import threading
import time
import uuid
from collections.abc import MutableSequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from auto_voice.jobs.stages import STAGES
from auto_voice.jobs.store import JobStore
from auto_voice.jobs.worker import FINISH, work
from auto_voice.settings import Settings
from auto_voice.storage.cache import open_cache
from auto_voice.storage.leftovers import sweep
from auto_voice.storage.takes import TakeStore

log = logging.getLogger(__name__)

RESTART_S = 1.0  # between the death of a worker and its successor
STOP_S = 5.0  # that a worker has to put its job back
KEEP_ROWS_S = 30 * 86_400.0  # a finished job stays in the history


@dataclass
class Place:
    """One worker's place."""

    token: str = ""
    process: SpawnProcess | None = None
    start_at: float = 0.0
    died: bool = False


class Supervisor:
    """Runs `limits.concurrent_conversions` worker processes.

    Args:
        settings: the whole configuration; what is set later is for workers that start later.
        store: the jobs, for what dead workers leave behind.
        told: shared memory for `alive` and `dead`, read by server processes that have an `Elsewhere`.
    """

    def __init__(self, settings: Settings, store: JobStore, told: MutableSequence[int] | None = None) -> None:
        self.settings = settings
        self._told = told
        self._store = store
        self._places = [Place() for _ in range(settings.limits.concurrent_conversions)]
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="autovoice-workers", daemon=True)
        self._clean_at = 0.0

    @property
    def alive(self) -> int:
        """Workers that run."""
        return sum(place.process is not None and place.process.is_alive() for place in self._places)

    @property
    def dead(self) -> int:
        """Workers that ran and have no successor yet."""
        return sum(place.died for place in self._places)

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers."""
        return [p.process.pid for p in self._places if p.process is not None and p.process.pid is not None]

    @property
    def hurried(self) -> bool:
        """Whether `hurry` was called."""
        return self._hurry.is_set()

    def start(self) -> None:
        """Start the workers and the thread that watches them."""
        self._thread.start()

    def drain(self, seconds: float) -> bool:
        """Let the workers finish the jobs at hand and take no others; `hurry` cuts it short.

        Returns:
            Whether all were finished within that time.
        """
        self._rest()
        for place in self._places:
            if place.process is not None and place.process.pid is not None and FINISH is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(place.process.pid, FINISH)
        deadline = time.monotonic() + seconds
        while self.alive and not self._hurry.is_set() and time.monotonic() < deadline:
            self._hurry.wait(0.05)
        return not self.alive

    def hurry(self) -> None:
        """Have a `drain` that goes on return now."""
        self._hurry.set()

    def _rest(self) -> None:
        """Start nothing any more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def stop(self) -> None:
        """End the workers; what they were doing goes back into the queue."""
        self._rest()
        for place in self._places:
            if place.process is not None:
                place.process.terminate()
        deadline = time.monotonic() + STOP_S
        for place in self._places:
            if place.process is not None:
                place.process.join(max(0.0, deadline - time.monotonic()))
                if place.process.is_alive():
                    place.process.kill()
                    place.process.join()
                self._store.release(place.token)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._tend()
                if time.monotonic() >= self._clean_at:
                    self._clean_at = time.monotonic() + 3600 * self.settings.cache.cleanup_interval_hours
                    self.clean()
            except (SQLAlchemyError, OSError):
                log.exception("the workers could not be tended to; trying again")
            if self._told is not None:
                self._told[:] = [self.alive, self.dead]
            running = [p.process.sentinel for p in self._places if p.process is not None]
            if running:
                wait(running, timeout=0.5)
            self._stop.wait(0.05 if running else 0.5)

    def _tend(self) -> None:
        """Take note of dead workers and start what is missing."""
        now = time.monotonic()
        for number, place in enumerate(self._places, 1):
            if place.process is not None and not place.process.is_alive():
                log.warning("worker %s ended with code %s", place.process.pid, place.process.exitcode)
                place.process.join()
                place.process = None
                place.died = True
                place.start_at = now + RESTART_S
                self._store.release(place.token)
            if place.process is None and now >= place.start_at:
                place.token = uuid.uuid4().hex
                context = multiprocessing.get_context("spawn")
                place.process = context.Process(
                    target=work, args=(self.settings, place.token, os.getpid(), number), name="autovoice-worker"
                )
                place.process.start()
                place.died = False

    def clean(self) -> None:
        """Remove results whose time is over, uploads of nobody, and what the cache need not keep."""
        keep_s = max(self.settings.cache.kept_s(kind) for kind in STAGES)
        results = self.settings.storage.results_dir
        for job_id in self._store.expire(max(KEEP_ROWS_S, keep_s)):
            shutil.rmtree(results / job_id, ignore_errors=True)
        takes = TakeStore(self.settings.database_url)
        for name in takes.expire():
            shutil.rmtree(results / name, ignore_errors=True)
        takes.close()
        for folder in list(results.iterdir()) if results.is_dir() else []:
            if time.time() - _modified(folder) > keep_s + 86_400:
                shutil.rmtree(folder, ignore_errors=True)
        open_cache(self.settings).clean()
        sweep(self.settings.storage.temp_dir, "clone-", "speech-")
        sweep(self.settings.storage.voice_profiles_dir, ".new-", ".old-")


class Elsewhere:
    """Stands for the workers that another server process on this port runs.

    Args:
        settings: the whole configuration.
        told: what that process's `Supervisor` tells.
    """

    processes: tuple[int, ...] = ()

    def __init__(self, settings: Settings, told: MutableSequence[int]) -> None:
        self.settings = settings
        self.hurried = False
        self._told = told

    @property
    def alive(self) -> int:
        """Workers that run."""
        return self._told[0]

    @property
    def dead(self) -> int:
        """Workers that ran and have no successor yet."""
        return self._told[1]

    def start(self) -> None:
        """Nothing is started here."""

    def drain(self, seconds: float) -> bool:
        """Nothing is at work here."""
        return True

    def hurry(self) -> None:
        """Take note."""
        self.hurried = True

    def stop(self) -> None:
        """Nothing is to be stopped here."""


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()
