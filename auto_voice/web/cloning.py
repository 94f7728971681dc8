"""Making a voice from an uploaded recording, in a process of its own so that no live session feels it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import web

from auto_voice.apart import Apart
from auto_voice.settings import Settings
from auto_voice.storage.profiles import ProfileStore
from auto_voice.web import uploads
from auto_voice.web.auth import whose
from auto_voice.web.errors import ApiError
from pipeline.profile import ProfileMeasurement

MOST_UPLOADS = 16  # at a time; a slow line holds up nobody else


def measure_apart(path: Path, name: str, settings: Settings) -> ProfileMeasurement:
    """Measure a recording in a worker process.

    Raises:
        PipelineError: what is wrong with it.
    """
    import torch

    from auto_voice.voice_making import measure_file

    torch.set_num_threads(1)
    return measure_file(path, name, settings)


class Cloning:
    """A few worker processes that measure recordings, and the way from an upload to a stored profile."""

    def __init__(self, settings: Settings, store: ProfileStore) -> None:
        self.settings = settings
        self._store = store
        self._places = settings.limits.concurrent_clones
        self._uploading = 0
        self._measuring = 0
        self.apart = Apart(self._places, settings.limits.upload_memory_mb)

    @property
    def busy(self) -> bool:
        """Whether a voice is being made."""
        return self._uploading > 0

    async def close(self) -> None:
        """End the worker processes; a measurement that runs is given up."""
        self.apart.close()

    async def clone(self, request: web.Request) -> dict[str, Any]:
        """Read a multipart upload, measure it, store the profile, and return it."""
        if self._uploading >= MOST_UPLOADS:
            raise ApiError("service_unavailable", "too many uploads are under way", "try again in a minute")
        temp = self.settings.storage.temp_dir
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=temp, prefix="clone-"))
        self._uploading += 1
        try:
            return await self._clone(request, folder)
        finally:
            self._uploading -= 1
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _clone(self, request: web.Request, folder: Path) -> dict[str, Any]:
        path = folder / "upload"
        fields, _ = await uploads.read_form(
            request,
            path,
            files=("audio", "reference_audio"),
            max_mb=self.settings.limits.max_audio_size_mb,
        )
        user_id = whose(request, uploads.plain_text(fields, "user_id", 100))
        if user_id is None:
            raise ApiError("missing_required_field", "user_id is missing", "send who the voice belongs to")
        name = uploads.plain_text(fields, "profile_name", 100) or uploads.plain_text(fields, "name", 100)
        name = name or "My voice"
        description = uploads.plain_text(fields, "description", 1000) or ""
        consent = uploads.plain_text(fields, "consent", 1000)
        if consent is None and self.settings.security.consent_required:
            raise ApiError(
                "consent_required",
                "the singer's consent is missing",
                "send in 'consent' who agreed to this voice, and how",
            )
        if self._measuring >= 2 * self._places:
            raise ApiError("service_unavailable", "too many voices are being made", "try again in a minute")
        self._measuring += 1
        try:
            limits = self.settings.limits
            result = await uploads.within_limits(
                self.apart, limits.upload_seconds, measure_apart, path, name, self.settings
            )
        finally:
            self._measuring -= 1
        return await asyncio.to_thread(self._store.create, result, user_id, name, description, consent)
