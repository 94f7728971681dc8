"""Backups: voices, the database and the server's secret in one archive, taken while the server works.

An archive is a gzipped tar of plain files and a manifest of their hashes. Nothing of it is believed before it
is checked: a damaged one changes nothing, and one of somebody else's writes nowhere but where it should.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
import zlib
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from auto_voice import __version__
from auto_voice.settings import Settings, SettingsError
from auto_voice.storage.profiles import OWN_ID

NAME = "autovoice-{}.tar.gz"
MANIFEST = "manifest.json"
PROFILES, DATABASE, SECRET = "voice_profiles", "jobs.db", "secret"
LARGEST = 2**37  # bytes that an archive may unpack to, all of them on disk
LARGEST_MANIFEST = 2**26
CHUNK = 1 << 20
KEPT_ASIDE = ".before-restore"


class BackupError(SettingsError):
    """A backup that cannot be made, or an archive that is none."""

    code = "invalid_backup"


@dataclass(frozen=True)
class Contents:
    """What a backup holds."""

    profiles: int
    database: bool
    made_at: str
    version: str


def make_backup(settings: Settings, folder: Path, keep_days: float | None = None) -> Path:
    """Write an archive of this moment into a folder.

    Args:
        settings: of the server that it is taken of.
        folder: of backups; made if it is not there.
        keep_days: older archives in it are removed.

    Returns:
        The archive.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    target = folder / NAME.format(f"{now:%Y%m%d_%H%M%S_%f}")
    aside = target.with_suffix(".part")
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".backup-") as temp:
            files = _gather(settings, Path(temp))
            _write(aside, files, now)
        aside.rename(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if keep_days is not None:
        for old in folder.glob(NAME.format("*")):
            if old.stat().st_mtime < time.time() - 86_400 * keep_days:
                old.unlink()
    return target


def _gather(settings: Settings, temp: Path) -> dict[str, Path]:
    """What goes into the archive, by its name there."""
    found: dict[str, Path] = {}
    for profile in sorted(settings.storage.voice_profiles_dir.glob("*")):
        if OWN_ID.fullmatch(profile.name) and profile.is_dir():
            found |= _hold(profile, temp / profile.name)
    database = _sqlite_file(settings)
    if database is not None and database.exists():
        copy = temp / DATABASE
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)  # a consistent copy, whatever is being written
        found[DATABASE] = copy
    secret = settings.storage.data_dir / SECRET
    if secret.exists():
        found[SECRET] = secret
    return found


def _hold(profile: Path, copy: Path) -> dict[str, Path]:
    """A profile's files as they are now, whatever becomes of it; none, where it is being deleted."""
    try:
        copy.mkdir()
        names = [file.name for file in profile.iterdir() if not file.name.startswith(".")]
        for name in names:
            _link(profile / name, copy / name)
    except FileNotFoundError:
        return {}
    return {f"{PROFILES}/{profile.name}/{name}": copy / name for name in names}


def _link(file: Path, copy: Path) -> None:
    """The same file under another name, where the disk is the same; no file of a profile is ever written to."""
    try:
        os.link(file, copy)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(file, copy)


def _write(path: Path, files: dict[str, Path], now: datetime) -> None:
    hashes = {}
    with tarfile.open(path, "x:gz", compresslevel=6) as archive:
        for name, file in files.items():
            member = _member(name, file.stat().st_size, now)
            with file.open("rb") as source:
                archive.addfile(member, source)
            hashes[name] = _hash(file)
        manifest = {
            "service": "autovoice",
            "version": __version__,
            "made_at": now.isoformat(timespec="seconds"),
            "files": hashes,
        }
        told = json.dumps(manifest, indent=1).encode()
        archive.addfile(_member(MANIFEST, len(told), now), io.BytesIO(told))
    path.chmod(0o600)


def _member(name: str, size: int, now: datetime) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, int(now.timestamp()), 0o600
    return member


def _hash(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def check_backup(archive: Path) -> Contents:
    """Read an archive to its end, and tell what it holds.

    Raises:
        BackupError: it is damaged, or none of ours.
    """
    hashes, manifest = _read(archive)
    profiles = {name.split("/")[1] for name in hashes if name.startswith(f"{PROFILES}/")}
    return Contents(len(profiles), DATABASE in hashes, str(manifest["made_at"]), str(manifest["version"]))


def restore(settings: Settings, archive: Path) -> Contents:
    """Put back what an archive holds; what was there is kept beside it until the next restore.

    The server must not run.

    Raises:
        BackupError: the archive is damaged, or none of ours; nothing has changed.
        OSError: it cannot be written; what was there is there.
    """
    contents = check_backup(archive)
    storage, database = settings.storage, _sqlite_file(settings)
    if contents.database and database is None:
        raise BackupError(
            "the archive holds an SQLite database, and database.url names another",
            "restore PostgreSQL with pg_restore, and the voices with an empty database.url",
        )
    storage.data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=storage.data_dir, prefix=".restore-") as temp:
        files, _ = _read(archive, Path(temp))
        (Path(temp) / PROFILES).mkdir(exist_ok=True)
        _swap(Path(temp) / PROFILES, storage.voice_profiles_dir)
        if DATABASE in files and database is not None:
            for journal in ("-wal", "-shm"):
                database.with_name(database.name + journal).unlink(missing_ok=True)
            _swap(Path(temp) / DATABASE, database)
        if SECRET in files:
            _swap(Path(temp) / SECRET, storage.data_dir / SECRET)
    return contents


def _swap(new: Path, place: Path) -> None:
    """Put `new` in its place, and what was there beside it."""
    aside = place.with_name(place.name + KEPT_ASIDE)
    if place.exists():
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)
        place.rename(aside)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(new, place)


def _read(archive: Path, folder: Path | None = None) -> tuple[dict[str, str], dict[str, object]]:
    """The hashes of all files of an archive, checked against its manifest, and that.

    Args:
        archive: the file.
        folder: where its files are written, if they are wanted; until this returns, nothing is known of them.
    """
    hashes: dict[str, str] = {}
    told, size = b"", 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if not member.isfile() or not _allowed(member.name):
                    raise BackupError(f"{archive} holds {member.name[:100]!r}, which no backup does")
                size += member.size
                data = tar.extractfile(member)
                if size > LARGEST or data is None:
                    raise BackupError(f"{archive} is larger than a backup can be")
                if member.name == MANIFEST:
                    told = data.read(LARGEST_MANIFEST)
                else:
                    hashes[member.name] = _copy(data, None if folder is None else folder / member.name)
        manifest = json.loads(told)
        whole = hashes == manifest["files"]
        _ = manifest["made_at"], manifest["version"]
    except FileNotFoundError as problem:
        raise BackupError(f"there is no {archive}", "see the folder of backups") from problem
    except (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES):
            raise  # there is nothing wrong with the archive
        raise BackupError(f"{archive} is damaged, or no backup: {problem}", "take an older one") from problem
    if not whole:
        raise BackupError(f"{archive} is damaged: its files are not those of its manifest", "take an older one")
    return hashes, manifest


def _copy(source: IO[bytes], target: Path | None) -> str:
    """Read a file to its end, write it if it is wanted, and return its hash."""
    digest = hashlib.sha256()
    with ExitStack() as stack:
        out = None
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            out = stack.enter_context(target.open("wb"))
            target.chmod(0o600)
        while data := source.read(CHUNK):
            digest.update(data)
            if out is not None:
                out.write(data)
    return digest.hexdigest()


def _allowed(name: str) -> bool:
    """Whether a backup has files of that name."""
    if name in (MANIFEST, DATABASE, SECRET):
        return True
    parts = PurePosixPath(name).parts
    return len(parts) == 3 and parts[0] == PROFILES and bool(OWN_ID.fullmatch(parts[1])) and ".." not in parts


def _sqlite_file(settings: Settings) -> Path | None:
    url = settings.database_url
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
