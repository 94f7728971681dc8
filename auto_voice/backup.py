"""Backups: voices, the database and the server's secret in one archive, taken while the server works.

An archive is a gzipped tar of plain files and a manifest of their hashes. Nothing of it is believed before it
is checked: a damaged one changes nothing, and one of somebody else's writes nowhere but where it should.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
import tempfile
import time
import zlib
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from auto_voice import __version__
from auto_voice.settings import Settings, SettingsError
from auto_voice.storage.profiles import OWN_ID

NAME = "autovoice-{}.tar.gz"
MANIFEST = "manifest.json"
PROFILES, DATABASE, SECRET = "voice_profiles", "jobs.db", "secret"
LARGEST = 2**33  # bytes that an archive may unpack to
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


def _gather(settings: Settings, temp: Path) -> dict[str, bytes | Path]:
    """What goes into the archive, by its name there."""
    found: dict[str, bytes | Path] = {}
    for profile in sorted(settings.storage.voice_profiles_dir.glob("*")):
        if OWN_ID.fullmatch(profile.name) and profile.is_dir():
            try:
                contents = {f"{PROFILES}/{profile.name}/{f.name}": f.read_bytes() for f in profile.iterdir()}
            except FileNotFoundError:
                continue  # it is being deleted
            found |= contents
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


def _write(path: Path, files: dict[str, bytes | Path], now: datetime) -> None:
    contents = {name: data if isinstance(data, bytes) else data.read_bytes() for name, data in files.items()}
    manifest = {
        "service": "autovoice",
        "version": __version__,
        "made_at": now.isoformat(timespec="seconds"),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    }
    everything = {MANIFEST: json.dumps(manifest, indent=1).encode(), **contents}
    with tarfile.open(path, "x:gz") as archive:
        for name, data in everything.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), int(now.timestamp()), 0o600
            archive.addfile(member, io.BytesIO(data))
    path.chmod(0o600)


def check_backup(archive: Path) -> Contents:
    """Read an archive to its end, and tell what it holds.

    Raises:
        BackupError: it is damaged, or none of ours.
    """
    files, manifest = _read(archive)
    profiles = {name.split("/")[1] for name in files if name.startswith(f"{PROFILES}/")}
    return Contents(len(profiles), DATABASE in files, str(manifest["made_at"]), str(manifest["version"]))


def restore(settings: Settings, archive: Path) -> Contents:
    """Put back what an archive holds; what was there is kept beside it until the next restore.

    The server must not run.

    Raises:
        BackupError: the archive is damaged, or none of ours; nothing has changed.
        OSError: it cannot be written; what was there is there.
    """
    contents = check_backup(archive)
    files, _ = _read(archive)
    storage, database = settings.storage, _sqlite_file(settings)
    if DATABASE in files and database is None:
        raise BackupError(
            "the archive holds an SQLite database, and database.url names another",
            "restore PostgreSQL with pg_restore, and the voices with an empty database.url",
        )
    storage.data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=storage.data_dir, prefix=".restore-") as temp:
        for name, data in files.items():
            path = Path(temp) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o600)
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


def _read(archive: Path) -> tuple[dict[str, bytes], dict[str, object]]:
    """All files of an archive, checked against its manifest."""
    files: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if not member.isfile() or not _allowed(member.name):
                    raise BackupError(f"{archive} holds {member.name[:100]!r}, which no backup does")
                size += member.size
                data = tar.extractfile(member)
                if size > LARGEST or data is None:
                    raise BackupError(f"{archive} is larger than a backup can be")
                files[member.name] = data.read()
        manifest = json.loads(files.pop(MANIFEST))
        hashes = manifest["files"]
        whole = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} == hashes
        _ = manifest["made_at"], manifest["version"]
    except FileNotFoundError as problem:
        raise BackupError(f"there is no {archive}", "see the folder of backups") from problem
    except (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError, OSError) as problem:
        raise BackupError(f"{archive} is damaged, or no backup: {problem}", "take an older one") from problem
    if not whole:
        raise BackupError(f"{archive} is damaged: its files are not those of its manifest", "take an older one")
    return files, manifest


def _allowed(name: str) -> bool:
    """Whether a backup has files of that name."""
    if name in (MANIFEST, DATABASE, SECRET):
        return True
    parts = PurePosixPath(name).parts
    return len(parts) == 3 and parts[0] == PROFILES and bool(OWN_ID.fullmatch(parts[1])) and ".." not in parts


def _sqlite_file(settings: Settings) -> Path | None:
    url = settings.database_url
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
