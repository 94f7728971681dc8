"""Whether a server works on a data folder: servers share a lock; who exchanges the folder needs it alone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auto_voice.settings import SettingsError

NAME = ".in-use"


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Work on a data folder, beside others that do.

    Raises:
        SettingsError: a backup is being restored into it.
        OSError: it cannot be written to.
    """
    with _held(folder, fcntl.LOCK_SH, f"a backup is being restored into {folder}", "start again when it is"):
        yield


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have a data folder to oneself.

    Raises:
        SettingsError: a server works on it.
        OSError: it cannot be written to.
    """
    with _held(folder, fcntl.LOCK_EX, f"a server works on {folder}", "end it first: systemctl stop autovoice"):
        yield


@contextmanager
def _held(folder: Path, lock: int, taken: str, advice: str) -> Iterator[None]:
    with (folder / NAME).open("a") as file:
        try:
            fcntl.flock(file, lock | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise SettingsError(taken, advice) from problem
        yield
