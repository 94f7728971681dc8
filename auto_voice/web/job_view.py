"""A job in the words of the API."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from auto_voice.jobs.model import Job, Status
from auto_voice.jobs.stages import STAGES

BASE = "/api/v1/convert"


def describe(job: Job, waiting: int | None = None) -> dict[str, Any]:
    """The status document of a conversion; `waiting` is how many are before it in the queue."""
    document: dict[str, Any] = {
        "conversion_id": job.id,
        "status": job.status,
        "progress": round(job.progress, 1),
        "current_stage": job.stage,
        "stage_details": _stage(job),
        "song_name": job.parameters.get("song_name"),
        "user_id": job.user_id,
        "request": job.parameters["request"],
        "notes": [*job.parameters.get("notes", []), *job.notes],
        "created_at": _iso(job.created_at),
        "status_url": f"{BASE}/status/{job.id}",
        "progress_url": f"{BASE}/status/{job.id}",
        "websocket_url": f"/ws/conversion/{job.id}",
        "original_audio_url": f"{BASE}/download/{job.id}/original",
    }
    if waiting is not None:
        document["queue_position"] = waiting
    if not job.status.finished:
        document["estimated_time_remaining_seconds"] = _remaining(job)
    if job.finished_at is not None and job.started_at is not None:
        document["processing_time_seconds"] = round(job.finished_at - job.started_at, 2)
    if job.status is Status.COMPLETED and job.finished_at is not None and job.expires_at is not None:
        document |= {
            "completed_at": _iso(job.finished_at),
            "expires_at": _iso(job.expires_at),
            "result": _result(job),
        }
    if job.status is Status.FAILED and job.finished_at is not None:
        document |= {"failed_at": _iso(job.finished_at), "error": job.error}
    return document


def stage_message(job: Job) -> dict[str, Any]:
    """The WebSocket message about a job at this moment."""
    document = describe(job)
    kind = {Status.COMPLETED: "completed", Status.FAILED: "error", Status.CANCELLED: "cancelled"}
    message = {
        "type": kind.get(job.status, "progress"),
        "timestamp": _iso(time.time()),
    }
    wanted = (
        "conversion_id",
        "status",
        "progress",
        "current_stage",
        "stage_details",
        "notes",
        "result",
        "error",
    )
    return message | {name: document[name] for name in wanted if name in document}


def _stage(job: Job) -> dict[str, Any] | None:
    if job.stage is None:
        return None
    names = list(STAGES[job.kind])
    return {
        "stage": names.index(job.stage) + 1,
        "total_stages": len(names),
        "stage_name": job.stage,
        "stage_progress": round(job.stage_progress, 1),
    }


def _remaining(job: Job) -> float | None:
    if job.status is Status.PROCESSING and job.started_at is not None and job.progress > 5:
        spent = time.time() - job.started_at
        return round(spent * (100 - job.progress) / job.progress, 1)
    return job.estimated_seconds


def _result(job: Job) -> dict[str, Any]:
    result = job.result or {}
    urls = {name: f"{BASE}/download/{job.id}/{file}" for name, file in result.get("files", {}).items()}
    stems = None
    if "vocals" in urls:
        stems = {"vocals_url": urls["vocals"], "instrumental_url": urls["instrumental"]}
    quality = result.get("quality_metrics", {})
    return {
        "converted_audio_url": urls.get("converted"),
        "stems": stems,
        "metadata": result.get("metadata"),
        "quality_metrics": quality,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
