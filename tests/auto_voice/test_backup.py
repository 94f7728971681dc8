from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sqlite3
import tarfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from auto_voice import backup
from auto_voice.backup import BackupError, check_backup, make_backup, restore
from auto_voice.jobs.store import JobStore
from auto_voice.settings import Settings, SettingsError, load_settings
from auto_voice.storage.database import migrate
from auto_voice.storage.in_use import alone, shared
from auto_voice.storage.profiles import ProfileStore
from auto_voice.storage.users import UserStore
from bench.service import Service
from pipeline.profile import ProfileMeasurement


def settings_for(folder: Path) -> Settings:
    return load_settings(environ={"AUTOVOICE_STORAGE__DATA_DIR": str(folder)})


def add_voice(settings: Settings, name: str) -> str:
    store = ProfileStore(settings.storage.voice_profiles_dir)
    profile = store.create(ProfileMeasurement(store.voice("otto"), {}, {}, {}, []), "ada", name)
    return str(profile["profile_id"])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = settings_for(tmp_path / "data")
    migrate(settings.database_url)
    return settings


def test_what_was_backed_up_comes_back(settings: Settings, tmp_path: Path) -> None:
    kept = add_voice(settings, "kept")
    users = UserStore(settings.database_url)
    users.create_user("ada")
    key, _ = users.create_key("ada")
    users.close()
    archive = make_backup(settings, tmp_path / "backups")
    assert archive.stat().st_mode & 0o077 == 0
    held = check_backup(archive)
    assert (held.profiles, held.database) == (1, True)
    store = ProfileStore(settings.storage.voice_profiles_dir)
    store.delete(kept, "ada")
    later = add_voice(settings, "later")
    restore(settings, archive)
    assert store.get(kept)["profile_name"] == "kept"
    assert np.isfinite(store.voice(kept).median_f0_hz)
    assert not (settings.storage.voice_profiles_dir / later).exists()
    users = UserStore(settings.database_url)
    assert users.verify(key).user == "ada"
    users.close()
    elsewhere = settings_for(tmp_path / "another")  # a machine that has nothing yet
    restore(elsewhere, archive)
    assert ProfileStore(elsewhere.storage.voice_profiles_dir).get(kept)["user_id"] == "ada"


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "text"])
def test_a_damaged_archive_changes_nothing(settings: Settings, tmp_path: Path, damage: str) -> None:
    archive = make_backup(settings, tmp_path)
    data = bytearray(archive.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "bit":
        data[len(data) // 2] ^= 1
    else:
        data = bytearray(b"" if damage == "empty" else b"no archive" * 100)
    archive.write_bytes(data)
    kept = add_voice(settings, "kept")
    with pytest.raises(BackupError):
        restore(settings, archive)
    assert ProfileStore(settings.storage.voice_profiles_dir).get(kept)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "voice_profiles/../../evil", "voice_profiles/x/y", "evil", "secret/x"]
)
def test_an_archive_of_somebody_else_writes_nowhere(settings: Settings, tmp_path: Path, name: str) -> None:
    archive = tmp_path / "bad.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = 3
        tar.addfile(member, io.BytesIO(b"bad"))
    with pytest.raises(BackupError, match="which no backup does"):
        restore(settings, archive)
    assert not list(tmp_path.rglob("evil"))


def test_links_are_no_files(settings: Settings, tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("secret")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(BackupError):
        restore(settings, archive)


def archive_of(path: Path, files: dict[str, bytes], **manifest: str) -> Path:
    """An archive with a manifest that fits."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    told = {"version": "0.1", "made_at": "2026-01-01T00:00:00+00:00", "files": hashes} | manifest
    with tarfile.open(path, "w:gz") as tar:
        for name, data in {"manifest.json": json.dumps(told).encode(), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


KINDS = (
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.FIFOTYPE,
    tarfile.DIRTYPE,
)


def test_what_is_no_plain_file_is_refused(settings: Settings, tmp_path: Path) -> None:
    for kind in KINDS:
        archive = tmp_path / "bad.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            member = tarfile.TarInfo("secret")
            member.type, member.linkname, member.devmajor, member.devminor = kind, "/etc/passwd", 1, 3
            tar.addfile(member)
        with pytest.raises(BackupError, match="which no backup does"):
            restore(settings, archive)


def test_bombs_are_refused_before_they_are_large(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 2**30  # a header that would be read into memory
    long = tmp_path / "long.tar.gz"
    long.write_bytes(gzip.compress(header.tobuf() + bytes(2**20)))
    sparse = tarfile.TarInfo("secret")
    sparse.type = tarfile.GNUTYPE_SPARSE
    holes = tmp_path / "holes.tar.gz"
    holes.write_bytes(gzip.compress(sparse.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)))
    monkeypatch.setattr(backup, "LARGEST", 2**20)
    much = archive_of(tmp_path / "much.tar.gz", {"secret": bytes(2**21)})
    monkeypatch.setattr(backup, "MOST_FILES", 3)
    many = archive_of(tmp_path / "many.tar.gz", {f"config.backup/{n}": b"" for n in range(9)})
    for archive, why in ((long, "larger"), (holes, "no backup"), (much, "larger"), (many, "more files")):
        with pytest.raises(BackupError, match=why):
            restore(settings, archive)
    assert not list(settings.storage.data_dir.glob(".restore-*"))


@pytest.mark.parametrize("name", ["made_at", "version"])
def test_a_manifest_says_nothing_that_steers_a_terminal(tmp_path: Path, name: str) -> None:
    archive = archive_of(tmp_path / "bad.tar.gz", {}, **{name: "\x1b[2J"})
    with pytest.raises(BackupError):
        check_backup(archive)


@pytest.mark.parametrize("wrong", ["id", "upload", "result", "take", "rendition", "damaged", "none"])
def test_a_database_that_leads_elsewhere_is_refused(settings: Settings, tmp_path: Path, wrong: str) -> None:
    jobs = JobStore(settings.database_url)
    job = jobs.submit("test", {"upload": "../../secret" if wrong == "upload" else "upload"})
    jobs.close()
    path = settings.storage.data_dir / "jobs.db"
    with closing(sqlite3.connect(path)) as database:
        if wrong == "id":
            database.execute("UPDATE jobs SET id = '../../home' WHERE id = ?", (job.id,))
        if wrong in ("take", "rendition"):
            names = ("/home/somebody", None) if wrong == "take" else ("take-1", "../../home")
            database.execute(
                "INSERT INTO takes (id, song_id, about, most_frames, rendition_id, created_at, expires_at) "
                "VALUES (?, 'song', '{}', 1, ?, 0, 1)",
                names,
            )
        if wrong == "result":
            files = {"files": {"converted": "/etc/passwd"}}
            database.execute("UPDATE jobs SET result = ?", (json.dumps(files),))
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = data = path.read_bytes()
    if wrong == "damaged":
        data = data[:100] + bytes(len(data) - 100)
    archive = archive_of(tmp_path / "bad.tar.gz", {"jobs.db": b"" if wrong == "none" else data})
    with pytest.raises(BackupError, match="database in the archive"):
        restore(settings, archive)
    assert path.read_bytes() == before


def test_what_the_old_database_had_not_written_yet_goes_aside_with_it(
    settings: Settings, tmp_path: Path
) -> None:
    archive = make_backup(settings, tmp_path)
    path = settings.storage.data_dir / "jobs.db"
    jobs = JobStore(settings.database_url)
    with closing(sqlite3.connect(path)) as killed:  # as one that was killed leaves it: with its journal
        killed.execute("SELECT * FROM jobs").fetchall()
        job = jobs.submit("test", {})
        jobs.close()
        assert path.with_name("jobs.db-wal").stat().st_size > 0
        restore(settings, archive)
    old = JobStore(f"sqlite:///{path}.before-restore")
    assert old.get(job.id).id == job.id
    old.close()


def test_nothing_is_restored_under_a_server_that_works(settings: Settings, tmp_path: Path) -> None:
    archive, folder = make_backup(settings, tmp_path), settings.storage.data_dir
    with shared(folder), shared(folder), pytest.raises(SettingsError, match="a server works on"):
        restore(settings, archive)
    with alone(folder), pytest.raises(SettingsError, match="being restored"), shared(folder):
        pass
    restore(settings, archive)


def test_settings_are_kept_and_put_aside(settings: Settings, tmp_path: Path) -> None:
    named = tmp_path / "my config;$(x).yaml"
    named.write_text("server: {port: 6000}")
    archive = make_backup(settings, tmp_path / "b", configuration=[named])
    latest = tmp_path / "b" / "latest.tar.gz"
    assert latest.resolve() == archive.resolve()
    restore(settings, latest)
    (kept,) = (settings.storage.data_dir / "config.backup").iterdir()
    assert kept.name == "1-my_config___x_.yaml"
    assert kept.read_text() == named.read_text()
    newer = make_backup(settings, tmp_path / "b")
    assert latest.resolve() == newer.resolve()


def test_old_archives_go(settings: Settings, tmp_path: Path) -> None:
    old = make_backup(settings, tmp_path / "b")
    os.utime(old, (time.time() - 40 * 86_400,) * 2)
    other = tmp_path / "b" / "mine.txt"
    other.write_text("stays")
    os.utime(other, (0, 0))
    new = make_backup(settings, tmp_path / "b", keep_days=30)
    left = {path.name for path in (tmp_path / "b").iterdir()}
    assert left == {new.name, "mine.txt", "latest.tar.gz"}


def test_a_backup_of_a_working_service_restores_to_a_working_one(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    service = Service(folder)
    service.environment["AUTOVOICE_STORAGE__DATA_DIR"] = str(folder)
    del service.environment["AUTOVOICE_STORAGE__VOICE_PROFILES_DIR"]
    settings = settings_for(folder)
    with service:
        kept = add_voice(settings, "kept")
        archive = make_backup(settings, tmp_path / "backups")
        with pytest.raises(SettingsError, match="a server works on"):
            restore(settings, archive)
        ProfileStore(settings.storage.voice_profiles_dir).delete(kept, "ada")
    restore(settings, archive)
    with service, urllib.request.urlopen(f"{service.url}/api/v1/voice/profiles/{kept}", timeout=5) as answer:
        assert answer.status == 200
