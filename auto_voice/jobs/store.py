"""The table of jobs: what happens to a job happens here, in one transaction each, exactly once.

A worker holds a job by a lease that it renews. Whoever finds a lease run out, or knows that its holder is dead,
puts the job back into the queue; the old holder's results are then refused. SQLite (in WAL mode) and PostgreSQL
serve.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from auto_voice.jobs.errors import JobFinished, JobNotFound, QueueFull
from auto_voice.jobs.model import Job, Status, jobs
from auto_voice.storage.database import open_database

LEASE_S = 20.0
MOST_ATTEMPTS = 3
FIELDS = tuple(Job.__dataclass_fields__)


class JobStore:
    """Jobs of all kinds.

    Args:
        url: of the database; `migrate` it first.
        clock: seconds since the epoch.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = open_database(url)
        self._reader = self._engine.execution_options(reading=True)
        self._clock = clock

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def submit(
        self,
        kind: str,
        parameters: dict[str, Any],
        *,
        user_id: str | None = None,
        job_id: str | None = None,
        estimated_seconds: float | None = None,
        most_waiting: int | None = None,
    ) -> Job:
        """Put a job into the queue; when this returns, it is on disk.

        Raises:
            QueueFull: `most_waiting` jobs wait already.
        """
        job_id = job_id or f"conv-{uuid.uuid4()}"
        with self._engine.begin() as connection:
            if most_waiting is not None:
                waiting = self._count(connection, Status.QUEUED)
                if waiting >= most_waiting:
                    raise QueueFull(waiting)
            connection.execute(
                insert(jobs).values(
                    id=job_id,
                    kind=kind,
                    user_id=user_id,
                    status=Status.QUEUED,
                    parameters=parameters,
                    notes=[],
                    stage_progress=0.0,
                    progress=0.0,
                    attempts=0,
                    not_before=0.0,
                    lease_until=0.0,
                    cancel_requested=False,
                    estimated_seconds=estimated_seconds,
                    created_at=self._clock(),
                )
            )
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """One job.

        Raises:
            JobNotFound: none of that id.
        """
        with self._reader.connect() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one_or_none()
        if row is None:
            raise JobNotFound(job_id)
        return _job(row)

    def list(
        self, user_id: str | None = None, offset: int = 0, limit: int = 50, *, kind: str | None = None
    ) -> tuple[Sequence[Job], int]:
        """Jobs, the newest first, and how many there are."""
        mine = jobs.c.user_id == user_id if user_id is not None else jobs.c.id.is_not(None)
        if kind is not None:
            mine &= jobs.c.kind == kind
        with self._reader.connect() as connection:
            total = connection.execute(select(func.count()).select_from(jobs).where(mine)).scalar_one()
            query = select(jobs).where(mine).order_by(jobs.c.created_at.desc(), jobs.c.id)
            rows = connection.execute(query.offset(offset).limit(limit)).mappings()
            return [_job(row) for row in rows], total

    def counts(self) -> dict[str, int]:
        """How many jobs there are, by status."""
        with self._reader.connect() as connection:
            rows = connection.execute(select(jobs.c.status, func.count()).group_by(jobs.c.status)).all()
        return {str(status): int(count) for status, count in rows}

    def finished_since(self, moment: float) -> Sequence[tuple[str, Status, float, float]]:
        """(id, status, when it finished, seconds from start to finish) of jobs since then, the oldest first.

        Args:
            moment: seconds since the epoch.
        """
        wanted = (
            select(jobs.c.id, jobs.c.status, jobs.c.finished_at, jobs.c.started_at)
            .where(jobs.c.finished_at >= moment, jobs.c.status != Status.EXPIRED)
            .order_by(jobs.c.finished_at)
        )
        with self._reader.connect() as connection:
            rows = connection.execute(wanted).all()
        return [(row[0], Status(row[1]), row[2], row[2] - (row[3] or row[2])) for row in rows]

    def position(self, job: Job) -> int:
        """How many jobs are before this one in the queue."""
        before = (jobs.c.status == Status.QUEUED) & (jobs.c.created_at < job.created_at)
        with self._reader.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(jobs).where(before)).scalar_one())

    def speed(self, default: float) -> float:
        """Seconds of work per second of song, as the last conversions took; `default` before there are any."""
        with self._reader.connect() as connection:
            query = (
                select(jobs.c.started_at, jobs.c.finished_at, jobs.c.result)
                .where((jobs.c.status == Status.COMPLETED) & jobs.c.started_at.is_not(None))
                .order_by(jobs.c.finished_at.desc())
                .limit(10)
            )
            rows = connection.execute(query).all()
        seconds = [(row.result or {}).get("metadata", {}).get("original_duration_seconds", 0.0) for row in rows]
        known = [(row.finished_at - row.started_at) / s for row, s in zip(rows, seconds, strict=True) if s > 0]
        return statistics.median(known) if known else default

    def claim(self, worker: str) -> Job | None:
        """Take the oldest job that may be done now; None when there is none."""
        now = self._clock()
        ready = (jobs.c.status == Status.QUEUED) & (jobs.c.not_before <= now)
        with self._engine.begin() as connection:
            self._requeue(connection, (jobs.c.status == Status.PROCESSING) & (jobs.c.lease_until < now))
            oldest = select(jobs.c.id).where(ready).order_by(jobs.c.created_at, jobs.c.id).limit(1)
            taken = (
                update(jobs)
                .where(jobs.c.id == oldest.with_for_update(skip_locked=True).scalar_subquery(), ready)
                .values(
                    status=Status.PROCESSING,
                    worker=worker,
                    lease_until=now + LEASE_S,
                    attempts=jobs.c.attempts + 1,
                    started_at=now,
                    stage=None,
                    stage_progress=0.0,
                    progress=0.0,
                    notes=[],
                )
                .returning(*jobs.c)
            )
            row = connection.execute(taken).mappings().one_or_none()
        return None if row is None else _job(row)

    def renew(self, job_id: str, worker: str) -> bool | None:
        """Keep the lease; True when cancelling was asked for, None when the job is somebody else's by now."""
        held = (jobs.c.id == job_id) & (jobs.c.worker == worker) & (jobs.c.status == Status.PROCESSING)
        statement = update(jobs).where(held).values(lease_until=self._clock() + LEASE_S)
        with self._engine.begin() as connection:
            asked = connection.execute(statement.returning(jobs.c.cancel_requested)).scalar_one_or_none()
        return None if asked is None else bool(asked)

    def advance(self, job_id: str, worker: str, stage: str, stage_progress: float, progress: float) -> None:
        """Tell how far a job is."""
        self._held(job_id, worker, stage=stage, stage_progress=stage_progress, progress=progress)

    def note(self, job_id: str, worker: str, notes: Sequence[str]) -> None:
        """Tell what is worth knowing of a job."""
        self._held(job_id, worker, notes=[*notes])

    def complete(self, job_id: str, worker: str, result: dict[str, Any], keep_s: float) -> bool:
        """End a job well; False when it is not this worker's any more."""
        now = self._clock()
        return self._held(
            job_id,
            worker,
            status=Status.COMPLETED,
            result=result,
            error=None,
            progress=100.0,
            stage_progress=100.0,
            finished_at=now,
            expires_at=now + keep_s,
            worker=None,
        )

    def fail(
        self, job_id: str, worker: str, error: dict[str, Any], keep_s: float, *, retry_in_s: float | None = None
    ) -> bool:
        """End a job badly, or put it back for another attempt while there is one left."""
        if retry_in_s is not None and self.get(job_id).attempts < MOST_ATTEMPTS:
            later = self._clock() + retry_in_s
            return self._held(job_id, worker, status=Status.QUEUED, worker=None, not_before=later, error=error)
        now = self._clock()
        return self._held(
            job_id,
            worker,
            status=Status.FAILED,
            error=error,
            finished_at=now,
            expires_at=now + keep_s,
            worker=None,
        )

    def cancelled(self, job_id: str, worker: str) -> bool:
        """Confirm that a job was given up as asked."""
        now = self._clock()
        return self._held(job_id, worker, status=Status.CANCELLED, finished_at=now, expires_at=now, worker=None)

    def cancel(self, job_id: str) -> Job:
        """Ask for a job to be given up: at once while it waits, soon while it is done.

        Raises:
            JobNotFound: none of that id.
            JobFinished: it is over.
        """
        now = self._clock()
        waiting = (jobs.c.id == job_id) & (jobs.c.status == Status.QUEUED)
        running = (jobs.c.id == job_id) & (jobs.c.status == Status.PROCESSING)
        with self._engine.begin() as connection:
            ended = {
                "status": Status.CANCELLED,
                "finished_at": now,
                "expires_at": now,
                "cancel_requested": True,
            }
            changed = connection.execute(update(jobs).where(waiting).values(ended)).rowcount
            if not changed:
                changed = connection.execute(update(jobs).where(running).values(cancel_requested=True)).rowcount
        job = self.get(job_id)
        if not changed:
            raise JobFinished(job.status)
        return job

    def forget(self, job_id: str) -> None:
        """Delete a finished job's row."""
        with self._engine.begin() as connection:
            connection.execute(jobs.delete().where((jobs.c.id == job_id) & jobs.c.finished_at.is_not(None)))

    def release(self, worker: str) -> int:
        """Put the jobs of a dead worker back into the queue; returns how many."""
        with self._engine.begin() as connection:
            return self._requeue(connection, (jobs.c.status == Status.PROCESSING) & (jobs.c.worker == worker))

    def expire(self, keep_rows_s: float) -> set[str]:
        """Mark results as expired whose time has come, delete old rows; returns ids whose files may go."""
        now = self._clock()
        due = (jobs.c.expires_at <= now) & (jobs.c.status != Status.EXPIRED)
        with self._engine.begin() as connection:
            ended = {str(i) for i in connection.execute(select(jobs.c.id).where(due)).scalars()}
            completed = due & (jobs.c.status == Status.COMPLETED)
            connection.execute(update(jobs).where(completed).values(status=Status.EXPIRED))
            old = (jobs.c.finished_at <= now - keep_rows_s) & (jobs.c.expires_at <= now)
            ended |= {str(i) for i in connection.execute(select(jobs.c.id).where(old)).scalars()}
            connection.execute(jobs.delete().where(old))
        return ended

    def _requeue(self, connection: Connection, lost: Any) -> int:
        """Give jobs whose worker is gone another attempt, or fail those that have killed too many."""
        now = self._clock()
        connection.execute(
            update(jobs)
            .where(lost & jobs.c.cancel_requested)
            .values(status=Status.CANCELLED, finished_at=now, expires_at=now, worker=None)
        )
        error = {
            "code": "internal_error",
            "message": f"the worker died {MOST_ATTEMPTS} times over this song",
            "details": {"suggestions": ["try a shorter part of it", "tell the operator"]},
        }
        connection.execute(
            update(jobs)
            .where(lost & (jobs.c.attempts >= MOST_ATTEMPTS))
            .values(status=Status.FAILED, error=error, finished_at=now, expires_at=now + 86_400, worker=None)
        )
        back = update(jobs).where(lost).values(status=Status.QUEUED, worker=None, stage=None, progress=0.0)
        return int(connection.execute(back).rowcount)

    def _held(self, job_id: str, holder: str, /, **values: Any) -> bool:
        """Change a job that a worker holds; False when it does not any more."""
        held = (jobs.c.id == job_id) & (jobs.c.worker == holder) & (jobs.c.status == Status.PROCESSING)
        with self._engine.begin() as connection:
            return bool(connection.execute(update(jobs).where(held).values(**values)).rowcount)

    @staticmethod
    def _count(connection: Connection, status: Status) -> int:
        query = select(func.count()).select_from(jobs).where(jobs.c.status == status)
        return int(connection.execute(query).scalar_one())


def _job(row: Any) -> Job:
    values = {name: row[name] for name in FIELDS}
    return Job(**{**values, "status": Status(row["status"])})
