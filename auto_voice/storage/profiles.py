"""Voice profiles as folders of files: `<id>/profile.json` beside `<id>/voice.safetensors`, or an RVC voice's.

A profile appears whole or not at all (written aside, synced, renamed). Built-in voices are read from the
program's own folder and belong to nobody. Nothing here knows an event loop; callers use threads.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_voice.storage.errors import NotMeasured, NotYourProfile, ProfileNotFound
from auto_voice.storage.profile_folder import PROFILE, NewFolder, write_whole
from pipeline.errors import PipelineError, WeightsUnavailable
from pipeline.profile import ProfileMeasurement
from pipeline.voice import EMBEDDING_SIZE, Target, Voice
from pipeline.voice_file import load_voice, save_voice

if TYPE_CHECKING:
    from auto_voice.storage.rvc_voices import Networks

log = logging.getLogger(__name__)

BUILTIN = Path(__file__).resolve().parents[2] / "pipeline" / "builtin_voices"
VOICE, PICTURE = "voice.safetensors", "picture.png"
OWN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BUILTIN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
SORTABLE = ("created_at", "profile_name")
RVC = "rvc"
URL = "/api/v1/voice/profiles"


class ProfileStore:
    """All voice profiles of a server.

    Args:
        directory: where users' profiles are kept; made if it is not there.
        builtin: the folder of built-in voices, with its catalogue.
        models_dir: where the weights are that some voices need; without, they are told to be missing.
    """

    def __init__(self, directory: Path, builtin: Path = BUILTIN, models_dir: Path | None = None) -> None:
        self._directory = directory
        self._builtin = builtin
        self._models_dir = models_dir
        self._networks: Networks | None = None
        self._changing = threading.Lock()
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
        facts = {
            "kind": "recording",
            "audio_info": measured.audio_info,
            "vocal_range": measured.vocal_range,
            "quality_metrics": measured.quality_metrics,
            "speaker_embedding": {"dimensions": EMBEDDING_SIZE, "model": "resemblyzer"},
            "warnings": measured.warnings,
        }
        with self.new_folder() as folder:
            voice = replace(measured.voice, voice_id=folder.profile_id, name=name)
            save_voice(folder.path / VOICE, voice)
            return folder.keep(facts, user_id, name, description, consent)

    @contextmanager
    def new_folder(self) -> Iterator[NewFolder]:
        """The folder of a profile that is about to be: kept with `NewFolder.keep`, or gone afterwards.

        Raises:
            OSError: the disk is full or not writable; nothing is left behind.
        """
        aside = Path(tempfile.mkdtemp(prefix=".new-", dir=self._directory))
        try:
            yield NewFolder(aside, self._described)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

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
        page = everything[offset : offset + limit]
        return [self._described(profile) for profile in page], len(everything)

    def get(self, profile_id: str, sole_user: str | None = None) -> dict[str, Any]:
        """One profile.

        Args:
            profile_id: which.
            sole_user: nobody else's is there, if somebody is named; those that belong to all are.

        Raises:
            ProfileNotFound: none of that id, or a damaged one.
        """
        return self._described(self._find(profile_id, sole_user))

    def _find(self, profile_id: str, sole_user: str | None = None) -> dict[str, Any]:
        """A profile as it is kept."""
        if profile_id in self._catalogue:
            return self._catalogue[profile_id]
        if not OWN_ID.fullmatch(profile_id):
            raise ProfileNotFound(profile_id)
        profile = self._read(self._directory / profile_id)
        if sole_user not in (None, profile["user_id"]):
            raise ProfileNotFound(profile_id)
        return profile

    def voice(self, profile_id: str, sole_user: str | None = None) -> Target:
        """The voice of a profile, for a converter.

        Args:
            profile_id: which.
            sole_user: as for `get`.

        Raises:
            ProfileNotFound: none of that id, or a damaged one.
        """
        profile = self._find(profile_id, sole_user)
        if profile["builtin"]:
            if not BUILTIN_ID.fullmatch(profile_id):
                raise ProfileNotFound(profile_id)
            return load_voice(self._builtin / f"{profile_id}.safetensors")
        folder = self._directory / profile_id
        try:
            if profile.get("kind") == RVC:
                return self._rvc_voice(profile, folder)
            return replace(load_voice(folder / VOICE), name=profile["profile_name"])
        except FileNotFoundError as problem:
            raise ProfileNotFound(profile_id) from problem
        except (ValueError, TypeError, KeyError, PipelineError) as problem:
            log.warning("voice profile %s is damaged: %s", profile_id, problem)
            raise ProfileNotFound(profile_id) from problem

    def measured_voice(self, profile_id: str, sole_user: str | None = None) -> Voice:
        """The voice of a profile, for what needs one that was measured of a recording.

        Raises:
            ProfileNotFound: as for `voice`.
            NotMeasured: a voice of another kind.
        """
        profile = self._find(profile_id, sole_user)
        if profile.get("kind") == RVC:
            raise NotMeasured(profile["profile_name"])
        voice = self.voice(profile_id, sole_user)
        assert isinstance(voice, Voice)
        return voice

    def _rvc_voice(self, profile: dict[str, Any], folder: Path) -> Target:
        from auto_voice.storage.rvc_voices import voice_of

        return voice_of(profile, self.networks.get(profile["profile_id"], folder))

    @property
    def networks(self) -> Networks:
        """The networks of RVC voices that are in memory."""
        if self._networks is None:
            from auto_voice.storage.rvc_voices import Networks

            self._networks = Networks()
        return self._networks

    def files(self, profile_id: str, sole_user: str | None = None) -> Path:
        """The folder of a profile's files, which are to be read only.

        Raises:
            ProfileNotFound: none of that id, or a built-in voice, which has none.
        """
        if self._find(profile_id, sole_user)["builtin"]:
            raise ProfileNotFound(profile_id)
        return self._directory / profile_id

    def change(self, profile_id: str, user_id: str | None, **fields: Any) -> dict[str, Any]:
        """Replace fields of a profile; returns it.

        Raises:
            ProfileNotFound: none of that id.
            NotYourProfile: it belongs to somebody else, or to all.
            OSError: the disk is full or not writable; the profile stays as it was.
        """
        with self._changing:
            profile = self._own(profile_id, user_id, "change") | fields
            write_whole(self._directory / profile_id / PROFILE, json.dumps(profile, indent=1).encode())
        return self._described(profile)

    def change_picture(self, profile_id: str, user_id: str | None, picture: bytes | None) -> dict[str, Any]:
        """Give a profile a picture (PNG), or none; returns the profile.

        Raises:
            ProfileNotFound, NotYourProfile, OSError: as for `change`.
        """
        with self._changing:
            profile = self._own(profile_id, user_id, "change")
            path = self._directory / profile_id / PICTURE
            if picture is None:
                path.unlink(missing_ok=True)
            else:
                write_whole(path, picture)
        return self._described(profile)

    def delete(self, profile_id: str, user_id: str | None) -> None:
        """Remove a profile for good.

        Raises:
            ProfileNotFound: none of that id.
            NotYourProfile: it belongs to somebody else, or to all.
        """
        with self._changing:
            self._own(profile_id, user_id, "delete")
            aside = self._directory / f".old-{profile_id}"
            (self._directory / profile_id).rename(aside)
        shutil.rmtree(aside)
        if self._networks is not None:
            self._networks.forget(profile_id)

    def _own(self, profile_id: str, user_id: str | None, what: str) -> dict[str, Any]:
        """A profile as it is kept, if it is that user's."""
        profile = self._find(profile_id)
        if profile["builtin"]:
            raise NotYourProfile(f"a built-in voice cannot be {what}d")
        if user_id != profile["user_id"]:
            raise NotYourProfile(f"only its owner may {what} a voice profile")
        return profile

    def _described(self, profile: dict[str, Any]) -> dict[str, Any]:
        """A profile as it is told: with what changes by itself."""
        told = {"kind": "recording", "picture_url": None, "needs": []} | profile
        if not profile["builtin"]:
            picture = self._directory / profile["profile_id"] / PICTURE
            try:
                stamp = picture.stat().st_mtime_ns // 1_000_000
                told["picture_url"] = f"{URL}/{profile['profile_id']}/picture?v={stamp}"
            except FileNotFoundError:
                pass
        if told["kind"] == RVC:
            told["needs"] = self._missing()
        return told

    def _missing(self) -> Any:
        """What RVC voices need and this machine lacks."""
        from pipeline import content_vec

        if self._models_dir is not None:
            try:
                content_vec.find(self._models_dir)
            except WeightsUnavailable:
                pass
            else:
                return []
        return [{"weights": "contentvec", "command": "autovoice weights contentvec"}]

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
