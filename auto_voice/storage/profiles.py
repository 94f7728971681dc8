"""Voice profiles as folders of files: `<id>/profile.json` beside `<id>/voice.safetensors`.

A profile appears whole or not at all (written aside, synced, renamed). Built-in voices are read from the
program's own folder and belong to nobody. Nothing here knows an event loop; callers use threads.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import tempfile
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auto_voice.storage.errors import NotYourProfile, ProfileNotFound
from pipeline.profile import ProfileMeasurement
from pipeline.voice import EMBEDDING_SIZE, Voice
from pipeline.voice_file import load_voice, save_voice

log = logging.getLogger(__name__)

BUILTIN = Path(__file__).resolve().parents[2] / "pipeline" / "builtin_voices"
PROFILE, VOICE = "profile.json", "voice.safetensors"
OWN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BUILTIN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
SORTABLE = ("created_at", "profile_name")


class ProfileStore:
    """All voice profiles of a server.

    Args:
        directory: where users' profiles are kept; made if it is not there.
        builtin: the folder of built-in voices, with its catalogue.
    """

    def __init__(self, directory: Path, builtin: Path = BUILTIN) -> None:
        self._directory = directory
        self._builtin = builtin
        directory.mkdir(parents=True, exist_ok=True)
        catalogue = builtin / "catalogue.json"
        entries = json.loads(catalogue.read_text())["voices"] if catalogue.exists() else []
        self._catalogue: dict[str, dict[str, Any]] = {entry["profile_id"]: entry for entry in entries}

    def create(
        self,
        measured: ProfileMeasurement,
        user_id: str,
        name: str,
        description: str = "",
        consent: str | None = None,
    ) -> dict[str, Any]:
        """Store what was measured of a recording; returns the profile.

        Args:
            measured: the voice and its figures.
            user_id: whose profile it is.
            name: of the voice.
            description: of it.
            consent: in whose words, and in which, the singer agreed.

        Raises:
            OSError: the disk is full or not writable; nothing is left behind.
        """
        profile_id = str(uuid.uuid4())
        profile = {
            "profile_id": profile_id,
            "user_id": user_id,
            "profile_name": name,
            "description": description,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "builtin": False,
            "audio_info": measured.audio_info,
            "vocal_range": measured.vocal_range,
            "quality_metrics": measured.quality_metrics,
            "speaker_embedding": {"dimensions": EMBEDDING_SIZE, "model": "resemblyzer"},
            "warnings": measured.warnings,
        }
        if consent is not None:
            profile["consent"] = {"statement": consent, "given_at": profile["created_at"]}
        aside = Path(tempfile.mkdtemp(prefix=".new-", dir=self._directory))
        try:
            save_voice(aside / VOICE, replace(measured.voice, voice_id=profile_id, name=name))
            (aside / PROFILE).write_text(json.dumps(profile, indent=1))
            for file in (aside / VOICE, aside / PROFILE):
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
            aside.rename(self._directory / profile_id)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return profile

    def list(
        self,
        user_id: str | None = None,
        offset: int = 0,
        limit: int = 50,
        *,
        sort_by: str = "created_at",
        order: str = "desc",
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of profiles, and how many there are in all.

        Built-in voices come first; then the user's own (everybody's when no user is named).
        """
        own = []
        for folder in self._directory.iterdir():
            if OWN_ID.fullmatch(folder.name):
                try:
                    profile = self._read(folder)
                except ProfileNotFound:
                    continue
                if user_id is None or profile["user_id"] == user_id:
                    own.append(profile)
        own.sort(key=lambda profile: (str(profile[sort_by]), profile["profile_id"]), reverse=order == "desc")
        everything = [*self._catalogue.values(), *own]
        return everything[offset : offset + limit], len(everything)

    def get(self, profile_id: str, sole_user: str | None = None) -> dict[str, Any]:
        """One profile.

        Args:
            profile_id: which.
            sole_user: nobody else's is there, if somebody is named; those that belong to all are.

        Raises:
            ProfileNotFound: none of that id, or a damaged one.
        """
        if profile_id in self._catalogue:
            return self._catalogue[profile_id]
        if not OWN_ID.fullmatch(profile_id):
            raise ProfileNotFound(profile_id)
        profile = self._read(self._directory / profile_id)
        if sole_user not in (None, profile["user_id"]):
            raise ProfileNotFound(profile_id)
        return profile

    def voice(self, profile_id: str, sole_user: str | None = None) -> Voice:
        """The voice of a profile, for a converter.

        Args:
            profile_id: which.
            sole_user: as for `get`.

        Raises:
            ProfileNotFound: none of that id, or a damaged one.
        """
        if sole_user is not None:
            self.get(profile_id, sole_user)
        if profile_id in self._catalogue and BUILTIN_ID.fullmatch(profile_id):
            return load_voice(self._builtin / f"{profile_id}.safetensors")
        if not OWN_ID.fullmatch(profile_id):
            raise ProfileNotFound(profile_id)
        try:
            return load_voice(self._directory / profile_id / VOICE)
        except FileNotFoundError as problem:
            raise ProfileNotFound(profile_id) from problem
        except ValueError as problem:
            log.warning("voice profile %s is damaged: %s", profile_id, problem)
            raise ProfileNotFound(profile_id) from problem

    def delete(self, profile_id: str, user_id: str | None) -> None:
        """Remove a profile for good.

        Raises:
            ProfileNotFound: none of that id.
            NotYourProfile: it belongs to somebody else, or to all.
        """
        profile = self.get(profile_id)
        if profile["builtin"]:
            raise NotYourProfile("a built-in voice cannot be deleted")
        if user_id != profile["user_id"]:
            raise NotYourProfile("only its owner may delete a voice profile")
        aside = self._directory / f".old-{profile_id}"
        (self._directory / profile_id).rename(aside)
        shutil.rmtree(aside)

    def _read(self, folder: Path) -> dict[str, Any]:
        try:
            profile = json.loads((folder / PROFILE).read_text())
            if not isinstance(profile, dict) or profile["profile_id"] != folder.name:
                raise ValueError("its profile.json describes another profile")
            _ = profile["user_id"], profile["profile_name"], profile["created_at"], profile["builtin"]
        except FileNotFoundError as problem:
            raise ProfileNotFound(folder.name) from problem
        except (ValueError, KeyError, OSError) as problem:
            log.warning("voice profile %s is damaged: %s", folder.name, problem)
            raise ProfileNotFound(folder.name) from problem
        return profile
