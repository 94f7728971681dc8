"""How a song comes in: its folder, its upload, a look at it, its place in the queue; and who may reach it
then.
"""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from auto_voice.apart import Apart
from auto_voice.examine import examine_song
from auto_voice.jobs.errors import JobNotFound, NotYourJob, QueueFull
from auto_voice.jobs.model import Job, Status
from auto_voice.jobs.store import JobStore
from auto_voice.web import uploads, validators
from auto_voice.web.auth import sole_user, whose
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError

JOBS = web.AppKey("jobs", JobStore)
EXAMINERS = web.AppKey("examiners", Apart)
COMING: web.AppKey[set[Path]] = web.AppKey("coming", set[Path])  # folders of songs that are being uploaded
MOST_COMING = 32  # at a time: the disk would be full of halves otherwise

SPEED = 0.25  # seconds of work per second of song, until this server knows better


@asynccontextmanager
async def new_folder(request: web.Request, prefix: str) -> AsyncIterator[Path]:
    """The folder of a job that is about to be, named for its id; it goes again where nothing comes of it.

    Args:
        request: that asks for the job.
        prefix: of the id.

    Raises:
        ApiError: service_unavailable: this server has no workers, or many songs are coming.
    """
    settings, coming = request.app[CURRENT].settings, request.app[COMING]
    if not settings.limits.concurrent_conversions:
        raise ApiError("service_unavailable", "this server converts no songs", "ask its operator")
    if len(coming) >= MOST_COMING:
        raise ApiError("service_unavailable", "too many uploads are under way", "try again in a minute")
    folder = settings.storage.results_dir / f"{prefix}-{uuid.uuid4()}"
    coming.add(folder)
    try:
        await asyncio.to_thread(folder.mkdir, parents=True)
        yield folder
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    finally:
        coming.discard(folder)


async def look_at(request: web.Request, upload: Path) -> float:
    """The length of an uploaded song in seconds, in which there is something to hear.

    Raises:
        PipelineError, ApiError: what is wrong with it.
    """
    limits = request.app[CURRENT].settings.limits
    seconds: float = await uploads.within_limits(
        request.app[EXAMINERS], limits.upload_seconds, examine_song, upload, limits.max_song_duration_s
    )
    return seconds


async def enqueue(
    request: web.Request,
    kind: str,
    folder: Path,
    parameters: dict[str, Any],
    user_id: str | None,
    seconds: float,
) -> Job:
    """Put a job into the queue; when this returns, it is on disk.

    Args:
        request: that asks for it.
        kind: of job.
        folder: of `new_folder`.
        parameters: `upload` names the file in the folder.
        user_id: whose it is.
        seconds: of sound, for the estimate.

    Raises:
        QueueFull: no more may wait.
    """
    app, limits = request.app, request.app[CURRENT].settings.limits
    if not limits.queue_enabled:
        await _refuse_when_busy(app)
    speed = await asyncio.to_thread(app[JOBS].speed, SPEED)
    return await asyncio.to_thread(
        app[JOBS].submit,
        kind,
        parameters,
        user_id=user_id,
        job_id=folder.name,
        estimated_seconds=round(seconds * speed + 1, 1),
        most_waiting=limits.max_queue_size,
    )


async def _refuse_when_busy(app: web.Application) -> None:
    counts = await asyncio.to_thread(app[JOBS].counts)
    busy = counts.get(Status.QUEUED, 0) + counts.get(Status.PROCESSING, 0)
    if busy >= app[CURRENT].settings.limits.concurrent_conversions:
        raise QueueFull(busy)


async def job_of(request: web.Request, *kinds: str, job_id: str | None = None) -> Job:
    """The job of those kinds that a request is about, if it may be; `job_id` is in its path without.

    Raises:
        JobNotFound, NotYourJob: as they say.
    """
    job = await asyncio.to_thread(request.app[JOBS].get, job_id or request.match_info["job_id"])
    if sole_user(request) not in (None, job.user_id) or (kinds and job.kind not in kinds):
        raise JobNotFound(job.id)
    if job.user_id is not None and whose(request, validators.user_id(request.query)) not in (None, job.user_id):
        raise NotYourJob
    return job
