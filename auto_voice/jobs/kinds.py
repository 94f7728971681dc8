"""What is done for each kind of job, in a worker's process; models stay loaded from one job to the next."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from auto_voice.jobs.model import Job
from auto_voice.jobs.song_request import SongRequest
from auto_voice.settings import Settings
from pipeline.errors import PipelineError


class VoiceGone(PipelineError):
    """The voice was deleted while the job waited."""

    code = "profile_not_found"


class SongGone(PipelineError):
    """What was uploaded is not there: the database is one from a backup, which holds no songs."""

    code = "file_expired"


class Performer:
    """Does jobs; torch is imported with the first one.

    Args:
        settings: the whole configuration.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._songs: Any = None

    def perform(self, job: Job, upload: Path, folder: Path, progress: Any) -> dict[str, Any]:
        """Do one job.

        Args:
            job: of a kind of `STAGES`.
            upload: what came with it.
            folder: where the files go.
            progress: told the stage and how far it is, 0 to 1; whatever it raises ends the work.

        Returns:
            `files` (name to file), `metadata`, `notes` and what else that kind has: JSON.

        Raises:
            PipelineError: what is wrong with what was uploaded.
        """
        if not upload.exists():
            raise SongGone("the song is gone: backups hold none", "send it again")
        songs = self._song_converter()
        if job.kind == "song":
            request = SongRequest(**job.parameters["request"])
            made: dict[str, Any] = songs.convert(
                upload, request, self._voice(request.voice_id), folder, progress
            )
            return made | {"request": asdict(request)}
        if job.kind == "stage":
            from auto_voice.jobs.stage import StageMaker

            preset = job.parameters["request"]["preset"]
            return StageMaker(songs.parts).make(upload, preset, folder, progress)
        if job.kind == "take":
            from auto_voice.jobs.take import TakeRequest, TakeSinger

            given = job.parameters["request"]
            wanted = TakeRequest(given["voice_id"], given["frames"])
            singer = TakeSinger(self._settings.storage.models_dir, songs.converters)
            return singer.sing(upload.parent, wanted, self._voice(wanted.voice_id), folder, progress)
        raise ValueError(f"there are no jobs of kind {job.kind!r}")

    def _voice(self, voice_id: str) -> Any:
        from auto_voice.storage.errors import StorageError
        from auto_voice.storage.profiles import ProfileStore

        try:
            return ProfileStore(self._settings.storage.voice_profiles_dir).voice(voice_id)
        except StorageError as problem:
            raise VoiceGone(problem.message) from problem

    def _song_converter(self) -> Any:
        if self._songs is None:
            import torch

            from auto_voice.jobs.song import SongConverter
            from auto_voice.storage.cache import open_cache

            cores = os.cpu_count() or 1
            torch.set_num_threads(max(1, cores // max(1, self._settings.limits.concurrent_conversions)))
            self._songs = SongConverter(self._settings, open_cache(self._settings))
        return self._songs
