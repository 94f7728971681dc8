"""Making a voice from an uploaded recording, in a process of its own so that no live session feels it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from auto_voice.settings import Settings
from auto_voice.storage.profiles import ProfileStore
from auto_voice.web.errors import ApiError
from pipeline.errors import PipelineError
from pipeline.profile import ProfileMeasurement

CHUNK = 1 << 18
FIELDS = ("user_id", "profile_name", "name", "description")
Problem = tuple[str, str, list[str]]


def measure_apart(path: Path, name: str, settings: Settings) -> ProfileMeasurement | Problem:
    """Measure a recording in a worker process; a problem comes back as (code, message, suggestions)."""
    import torch

    from auto_voice.voice_making import measure_file

    torch.set_num_threads(1)
    try:
        return measure_file(path, name, settings)
    except PipelineError as problem:
        return problem.code, problem.message, list(problem.suggestions)


class Cloning:
    """A few worker processes that measure recordings, and the way from an upload to a stored profile."""

    def __init__(self, settings: Settings, store: ProfileStore) -> None:
        self._settings = settings
        self._store = store
        self._places = settings.limits.concurrent_clones
        self._running = 0
        self._pool: ProcessPoolExecutor | None = None

    async def close(self) -> None:
        """End the worker processes; a measurement that runs is given up."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def clone(self, request: web.Request) -> dict[str, Any]:
        """Read a multipart upload, measure it, store the profile, and return it."""
        if self._running >= 2 * self._places:
            raise ApiError("service_unavailable", "too many voices are being made", "try again in a minute")
        self._running += 1
        try:
            with tempfile.TemporaryDirectory(dir=self._settings.storage.temp_dir, prefix="clone-") as folder:
                path = Path(folder) / "upload"
                fields = await self._read(request, path)
                name = fields.get("profile_name") or fields.get("name") or "My voice"
                result = await self._measure(path, name)
            if isinstance(result, tuple):
                raise ApiError(result[0], result[1], *result[2])
            return await asyncio.to_thread(
                self._store.create, result, fields["user_id"], name, fields.get("description", "")
            )
        finally:
            self._running -= 1

    async def _measure(self, path: Path, name: str) -> ProfileMeasurement | Problem:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._places, multiprocessing.get_context("spawn"), initializer=os.nice, initargs=(10,)
            )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, measure_apart, path, name, self._settings)

    async def _read(self, request: web.Request, path: Path) -> dict[str, str]:
        if not request.content_type.startswith("multipart/"):
            raise ApiError(
                "invalid_request", "the body must be multipart/form-data", "send the recording in field 'audio'"
            )
        fields: dict[str, str] = {}
        received = False
        try:
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader):
                    raise ApiError("invalid_request", "multipart parts must not be nested")
                if part.name in ("audio", "reference_audio"):
                    await self._save(part, path)
                    received = True
                elif part.name in FIELDS:
                    fields[str(part.name)] = (
                        (await part.read(decode=True))[:1000].decode(errors="replace").strip()
                    )
        except (ValueError, HttpProcessingError) as problem:
            raise ApiError("invalid_request", f"the multipart body is broken: {problem}") from problem
        if not received:
            raise ApiError("missing_required_field", "the recording is missing", "send it in field 'audio'")
        if not fields.get("user_id"):
            raise ApiError("missing_required_field", "user_id is missing", "send who the voice belongs to")
        for name, most in (("user_id", 100), ("profile_name", 100), ("name", 100), ("description", 1000)):
            if len(fields.get(name, "")) > most or any(ord(c) < 32 for c in fields.get(name, "")):
                raise ApiError("invalid_parameter", f"{name} must be a plain text of at most {most} characters")
        return fields

    async def _save(self, part: BodyPartReader, path: Path) -> None:
        limit = self._settings.limits.max_audio_size_mb * 2**20
        size = 0
        with path.open("wb") as file:
            while chunk := await part.read_chunk(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise ApiError(
                        "file_too_large",
                        f"the recording is over {self._settings.limits.max_audio_size_mb} MB",
                        "send a shorter or compressed recording",
                    )
                await asyncio.to_thread(file.write, chunk)
