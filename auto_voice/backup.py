"""Backups: voices, the database and the server's secret in one archive, taken while the server works.

An archive is a gzipped tar of plain files and a manifest of their hashes. Nothing of it is believed before it
is checked: a damaged one changes nothing, and one of somebody else's writes nowhere but where it should.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
import time
import zlib
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from auto_voice import __version__
from auto_voice.settings import Settings, SettingsError
from auto_voice.storage.in_use import alone
from auto_voice.storage.profiles import OWN_ID

NAME = "autovoice-{}.tar.gz"
MANIFEST = "manifest.json"
LATEST = "latest.tar.gz"  # a link to the newest
PROFILES, DATABASE, SECRET, CONFIG = "voice_profiles", "jobs.db", "secret", "config.backup"
JOURNALS = ("", "-wal", "-shm")  # the database, and what SQLite has beside it
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
TOLD = re.compile(r"[A-Za-z0-9.:+-]{1,40}")
LARGEST = 2**37  # bytes that an archive may unpack to, all of them on disk
LARGEST_PIECE = 2**26  # bytes of them at a time
MOST_FILES = 400_000
CHUNK = 2**18
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


def make_backup(
    settings: Settings, folder: Path, keep_days: float | None = None, configuration: Sequence[Path] = ()
) -> Path:
    """Write an archive of this moment into a folder, where `latest.tar.gz` leads to it.

    Args:
        settings: of the server that it is taken of.
        folder: of backups; made if it is not there.
        keep_days: older archives in it are removed.
        configuration: the files of settings, which are kept, too.

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
            for number, file in enumerate(configuration, 1):
                files[f"{CONFIG}/{number}-{re.sub('[^A-Za-z0-9._-]', '_', file.name)[:80]}"] = file.read_bytes()
            _write(aside, files, now)
        aside.rename(target)
        link = folder / f".{target.name}.link"
        link.symlink_to(target.name)
        link.replace(folder / LATEST)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if keep_days is not None:
        for old in folder.glob(NAME.format("*")):
            if old.stat().st_mtime < time.time() - 86_400 * keep_days:
                old.unlink()
    return target


def _gather(settings: Settings, temp: Path) -> dict[str, bytes | Path]:
    """What goes into the archive, by its name there."""
    found: dict[str, bytes | Path] = {}
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


def _write(path: Path, files: dict[str, bytes | Path], now: datetime) -> None:
    manifest = {
        "service": "autovoice",
        "version": __version__,
        "made_at": now.isoformat(timespec="seconds"),
        "files": {name: _digest(data) for name, data in files.items()},
    }
    everything = {MANIFEST: json.dumps(manifest, indent=1).encode(), **files}
    with tarfile.open(path, "x:gz") as archive:
        path.chmod(0o600)
        for name, data in everything.items():
            member = tarfile.TarInfo(name)
            member.size = len(data) if isinstance(data, bytes) else data.stat().st_size
            member.mtime, member.mode = int(now.timestamp()), 0o600
            with io.BytesIO(data) if isinstance(data, bytes) else data.open("rb") as file:
                archive.addfile(member, file)


def _digest(data: bytes | Path) -> str:
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_backup(archive: Path) -> Contents:
    """Read an archive to its end, and tell what it holds.

    Raises:
        BackupError: it is damaged, or none of ours.
    """
    return _unpack(archive, None)


def restore(settings: Settings, archive: Path) -> Contents:
    """Put back what an archive holds; what was there is kept beside it until the next restore.

    Files of settings are put into the folder CONFIG of the data folder, for whoever wants to compare: those in
    force stay as they are.

    Raises:
        BackupError: the archive is damaged, or none of ours; nothing has changed.
        SettingsError: a server works on the data folder; nothing has changed.
        OSError: it cannot be written; what was there is there.
    """
    storage, database = settings.storage, _sqlite_file(settings)
    storage.data_dir.mkdir(parents=True, exist_ok=True)
    with (
        alone(storage.data_dir),
        tempfile.TemporaryDirectory(dir=storage.data_dir, prefix=".restore-") as temp,
    ):
        new = Path(temp)
        contents = _unpack(archive, new)
        if contents.database and database is None:
            raise BackupError(
                "the archive holds an SQLite database, and database.url names another",
                "restore PostgreSQL with pg_restore, and the voices with an empty database.url",
            )
        if contents.database:
            _check_database(new / DATABASE)
        (new / PROFILES).mkdir(exist_ok=True)
        _swap(new / PROFILES, storage.voice_profiles_dir)
        if contents.database and database is not None:
            for journal in JOURNALS:  # what was not yet in the old file goes aside with it
                _swap(new / (DATABASE + journal), database, journal)
        if (new / SECRET).exists():
            _swap(new / SECRET, storage.data_dir / SECRET)
        if (new / CONFIG).exists():
            _swap(new / CONFIG, storage.data_dir / CONFIG)
    return contents


def _swap(new: Path, place: Path, suffix: str = "") -> None:
    """Put `new`, if it is there, in its place, and what was there beside it; both have the suffix."""
    aside = place.with_name(place.name + KEPT_ASIDE + suffix)
    place = place.with_name(place.name + suffix)
    if aside.is_dir():
        shutil.rmtree(aside)
    aside.unlink(missing_ok=True)
    if place.exists():
        place.rename(aside)
    if new.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(new, place)


class _Bounded(gzip.GzipFile):
    """What an archive unpacks to: no more than there may be, and no header may ask for much memory."""

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes."""
        if size is None or not 0 <= size <= LARGEST_PIECE or self.tell() + size > LARGEST:
            raise tarfile.ReadError("it is larger than a backup can be")
        return super().read(size)


def _unpack(archive: Path, folder: Path | None) -> Contents:
    """Check all files of an archive against its manifest, and write them into a folder, if there is one."""
    manifest: dict[str, Any] = {}
    found: dict[str, str] = {}
    try:
        with _Bounded(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                data = tar.extractfile(member) if member.type in PLAIN and not member.issparse() else None
                if data is None or not _allowed(member.name) or member.name in found:
                    raise BackupError(f"{archive} holds {member.name[:100]!r}, which no backup does")
                if len(found) > MOST_FILES:
                    raise BackupError(f"{archive} holds more files than a backup can")
                if member.name == MANIFEST:
                    manifest = _read_manifest(data.read(LARGEST_PIECE))
                else:
                    found[member.name] = _take(data, None if folder is None else folder / member.name)
    except FileNotFoundError as problem:
        if archive.exists():
            raise
        raise BackupError(f"there is no {archive}", "see the folder of backups") from problem
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        gzip.BadGzipFile,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ) as problem:
        raise BackupError(f"{archive} is damaged, or no backup: {problem}", "take an older one") from problem
    if not manifest or found != manifest["files"]:
        raise BackupError(f"{archive} is damaged: its files are not those of its manifest", "take an older one")
    profiles = {name.split("/")[1] for name in found if name.startswith(f"{PROFILES}/")}
    made_at, version = (str(manifest[name])[:100] for name in ("made_at", "version"))
    return Contents(len(profiles), DATABASE in found, made_at, version)


def _check_database(path: Path) -> None:
    """Refuse a database that is damaged, or whose jobs name files outside of their folders."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            if database.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise BackupError("the database in the archive is damaged", "take an older one")
            for job_id, parameters, result in database.execute("SELECT id, parameters, result FROM jobs"):
                files = (json.loads(result or "null") or {}).get("files", {}).values()
                upload = json.loads(parameters).get("upload", "upload")
                if not all(PLAIN_NAME.fullmatch(name) for name in (job_id, upload, *files)):
                    raise BackupError(f"the database in the archive has a strange job: {job_id!r:.100}")
            for take in _takes(database):
                if not all(PLAIN_NAME.fullmatch(name) for name in take if name is not None):
                    raise BackupError(f"the database in the archive has a strange take: {take!r:.100}")
    except (sqlite3.Error, ValueError, AttributeError, TypeError) as problem:
        raise BackupError(f"the database in the archive is none of ours: {problem}") from problem


def _takes(database: sqlite3.Connection) -> list[tuple[str, str | None]]:
    """What of the takes names folders; none in a database of before there were any."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'takes'").fetchone():
        return []
    return database.execute("SELECT id, rendition_id FROM takes").fetchall()


def _read_manifest(data: bytes) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(data)
    for name in ("made_at", "version"):
        if not TOLD.fullmatch(manifest[name]):
            raise ValueError(f"{name} is none")
    _ = manifest["files"]
    return manifest


def _take(data: IO[bytes], path: Path | None) -> str:
    """The hash of a file, which is written to a path, if there is one."""
    digest = hashlib.sha256()
    with ExitStack() as stack:
        target = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            target = stack.enter_context(path.open("xb"))
            path.chmod(0o600)
        while chunk := data.read(CHUNK):
            digest.update(chunk)
            if target is not None:
                target.write(chunk)
    return digest.hexdigest()


def _allowed(name: str) -> bool:
    """Whether a backup has files of that name."""
    if name in (MANIFEST, DATABASE, SECRET):
        return True
    first, _, rest = name.partition("/")
    if first == CONFIG:
        return bool(PLAIN_NAME.fullmatch(rest))
    profile, _, file = rest.partition("/")
    return first == PROFILES and bool(OWN_ID.fullmatch(profile) and PLAIN_NAME.fullmatch(file))


def _sqlite_file(settings: Settings) -> Path | None:
    url = settings.database_url
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
