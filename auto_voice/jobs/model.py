"""A job as a row, and as everybody else sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Float, Integer, String, Table

from auto_voice.storage.database import metadata


class Status(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def finished(self) -> bool:
        """Whether nothing will happen to it any more but expiry."""
        return self not in (Status.QUEUED, Status.PROCESSING)


# times are seconds since the epoch
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("user_id", String(100)),
    Column("status", String(16), nullable=False, index=True),
    Column("parameters", JSON, nullable=False),
    Column("stage", String(32)),
    Column("stage_progress", Float, nullable=False, default=0.0),
    Column("progress", Float, nullable=False, default=0.0),
    Column("notes", JSON, nullable=False),
    Column("result", JSON),
    Column("error", JSON),
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("worker", String(64), index=True),
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("estimated_seconds", Float),
    Column("created_at", Float, nullable=False, index=True),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("expires_at", Float),
)


@dataclass(frozen=True)
class Job:
    """One job at one moment."""

    id: str
    kind: str
    user_id: str | None
    status: Status
    parameters: dict[str, Any]
    created_at: float
    stage: str | None = None
    stage_progress: float = 0.0
    progress: float = 0.0
    notes: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    attempts: int = 0
    cancel_requested: bool = False
    estimated_seconds: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
