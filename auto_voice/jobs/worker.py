"""A worker: a process that takes one job after the other, keeps its lease, and can be killed at any time."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from auto_voice.jobs.kinds import Performer
from auto_voice.jobs.model import Job
from auto_voice.jobs.stages import STAGES
from auto_voice.jobs.store import JobStore
from auto_voice.logs import ABOUT
from auto_voice.memory import ran_out
from auto_voice.settings import Settings
from pipeline.errors import PipelineError, WeightsUnavailable

log = logging.getLogger(__name__)

FINISH: signal.Signals | None = getattr(signal, "SIGUSR1", None)  # end after the job at hand; not on Windows
HEARTBEAT_S = 1.0
IDLE_S = 0.3
TELL_S = 0.4  # between two notes of progress
RETRY_S = 5.0  # before the second attempt, three times as long before each further one
DEFECTS = (ValueError, TypeError, ArithmeticError, LookupError, RuntimeError, AttributeError, AssertionError)


class Stopped(Exception):
    """The job at hand must not go on: it was cancelled, or it is somebody else's by now."""


@dataclass
class Lease:
    """What the heartbeat has heard of the job at hand."""

    cancelled: bool = False
    lost: bool = False


class Worker:
    """Does jobs until it is told to stop.

    Args:
        settings: the whole configuration.
        token: the name by which this worker holds jobs.
        parent: process id of the server; when it is gone, so is the worker.
    """

    def __init__(self, settings: Settings, token: str, parent: int | None = None) -> None:
        self._settings = settings
        self._token = token
        self._parent = parent
        self._store = JobStore(settings.database_url)
        self._stop = threading.Event()
        self._last = threading.Event()
        self._performer = Performer(settings)

    def stop(self) -> None:
        """End after the job at hand has been put back."""
        self._stop.set()

    def finish(self) -> None:
        """End after the job at hand has been done."""
        self._last.set()

    def run(self) -> None:
        """Work until `stop` or `finish`, or until the server is gone."""
        while not (self._stop.is_set() or self._last.is_set() or self._orphaned()):
            job = self._store.claim(self._token)
            if job is None:
                self._stop.wait(IDLE_S)
            else:
                self.do(job)
        self._store.close()

    def do(self, job: Job) -> None:
        """Do one job to its end, whatever that is."""
        ABOUT.set(job.id)
        lease, done = Lease(), threading.Event()
        heart = threading.Thread(target=self._beat, args=(job.id, lease, done), daemon=True)
        heart.start()
        keep_s = self._settings.cache.kept_s(job.kind)
        try:
            result = self._perform(job, lease)
            if not self._store.complete(job.id, self._token, result, keep_s):
                log.warning("job %s was taken away before it was done", job.id)
        except Stopped:
            if lease.cancelled:
                self._store.cancelled(job.id, self._token)
            elif not lease.lost:
                self._store.release(self._token)
        except PipelineError as problem:
            retry = RETRY_S * 3 ** (job.attempts - 1) if isinstance(problem, WeightsUnavailable) else None
            self._fail(job, problem.code, problem.message, list(problem.suggestions), retry)
        except OSError as problem:
            log.exception("job %s: the system failed", job.id)
            full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
            if full:
                self._fail(job, "insufficient_storage", "the server's disk is full", ["tell the operator"])
            else:
                self._fail(job, "internal_error", "the server could not read or write a file", [], RETRY_S)
        except (MemoryError, *DEFECTS) as problem:
            log.exception("job %s failed", job.id)
            code, message, advice = (
                ("out_of_memory", "this song needs more memory than there is", "send a shorter part")
                if ran_out(problem)
                else ("conversion_failed", "something went wrong in the conversion", "tell the operator")
            )
            self._fail(job, code, message, [advice])
        finally:
            done.set()
            heart.join()

    def _fail(
        self, job: Job, code: str, message: str, suggestions: list[str], retry_in_s: float | None = None
    ) -> None:
        error = {"code": code, "message": message, "details": {"suggestions": suggestions}}
        keep_s = self._settings.cache.kept_s(job.kind)
        self._store.fail(job.id, self._token, error, keep_s, retry_in_s=retry_in_s)

    def _perform(self, job: Job, lease: Lease) -> dict[str, Any]:
        told = 0.0
        stage_before = ""

        def progress(stage: str, fraction: float) -> None:
            nonlocal told, stage_before
            if lease.cancelled or lease.lost or self._stop.is_set():
                raise Stopped
            now = time.monotonic()
            if stage != stage_before or now - told >= TELL_S:
                told, stage_before = now, stage
                low, high = STAGES[job.kind][stage]
                overall = low + (high - low) * fraction
                self._store.advance(job.id, self._token, stage, 100 * fraction, overall)

        folder = self._settings.storage.results_dir / job.id
        for left in folder.glob("work-*"):  # by an attempt that was killed
            shutil.rmtree(left, ignore_errors=True)
        work = folder / f"work-{job.attempts}"
        work.mkdir(parents=True, exist_ok=True)
        try:
            result = self._performer.perform(job, folder / job.parameters["upload"], work, progress)
            final = folder / "result"
            shutil.rmtree(final, ignore_errors=True)  # of an attempt that was lost
            work.rename(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        if result["notes"]:
            self._store.note(job.id, self._token, result["notes"])
        return result

    def _beat(self, job_id: str, lease: Lease, done: threading.Event) -> None:
        """Renew the lease until the job is done."""
        while not done.wait(HEARTBEAT_S):
            if self._orphaned():
                self._store.release(self._token)
                os._exit(1)  # nobody waits for this process; the job is taken up by the next server
            try:
                answer = self._store.renew(job_id, self._token)
            except SQLAlchemyError:  # the lease lasts for many beats
                log.exception("the lease could not be renewed; trying again")
                continue
            lease.lost = answer is None
            lease.cancelled = lease.cancelled or bool(answer)

    def _orphaned(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent


def work(settings: Settings, token: str, parent: int, number: int) -> None:
    """Entry of a worker process, the `number`th."""
    from auto_voice.logs import set_up_logging

    with contextlib.suppress(OSError):
        os.nice(10)  # live sessions come first
    set_up_logging(settings.logging, settings.server.debug, f"worker{number}")
    worker = Worker(settings, token, parent)
    signal.signal(signal.SIGTERM, lambda number, frame: worker.stop())
    if FINISH is not None:
        signal.signal(FINISH, lambda number, frame: worker.finish())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the server's affair
    worker.run()
