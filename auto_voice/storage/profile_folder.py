"""How a profile's folder comes to be, and how files in it are replaced: whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROFILE = "profile.json"


class NewFolder:
    """The folder of a profile in the making.

    Args:
        path: of the folder, beside those of other profiles.
        describe: from a profile as it is kept to one as it is told.

    Attributes:
        path: where the profile's files are to be written.
        profile_id: the id that it will have.
    """

    def __init__(self, path: Path, describe: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.path = path
        self._describe = describe
        self.profile_id = str(uuid.uuid4())

    def keep(
        self, facts: dict[str, Any], user_id: str, name: str, description: str = "", consent: str | None = None
    ) -> dict[str, Any]:
        """Make it a profile, whole; returns that.

        Args:
            facts: `kind`, and what is known of the voice.
            user_id, name, description, consent: as for `ProfileStore.create`.

        Raises:
            OSError: the disk is full or not writable.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        profile = {
            "profile_id": self.profile_id,
            "user_id": user_id,
            "profile_name": name,
            "description": description,
            "created_at": now,
            "builtin": False,
            **facts,
        }
        if consent is not None:
            profile["consent"] = {"statement": consent, "given_at": now}
        (self.path / PROFILE).write_text(json.dumps(profile, indent=1))
        for file in self.path.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        self.path.rename(self.path.with_name(self.profile_id))
        return self._describe(profile)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file.

    Raises:
        OSError: the disk is full or not writable; the file stays as it was.
    """
    aside = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
