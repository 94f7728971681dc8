from __future__ import annotations

import io
import os
import tarfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from auto_voice.backup import BackupError, check_backup, make_backup, restore
from auto_voice.settings import Settings, load_settings
from auto_voice.storage.database import migrate
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


def test_old_archives_go(settings: Settings, tmp_path: Path) -> None:
    old = make_backup(settings, tmp_path / "b")
    os.utime(old, (time.time() - 40 * 86_400,) * 2)
    other = tmp_path / "b" / "mine.txt"
    other.write_text("stays")
    os.utime(other, (0, 0))
    new = make_backup(settings, tmp_path / "b", keep_days=30)
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted([new.name, "mine.txt"])


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
        ProfileStore(settings.storage.voice_profiles_dir).delete(kept, "ada")
    restore(settings, archive)
    with service, urllib.request.urlopen(f"{service.url}/api/v1/voice/profiles/{kept}", timeout=5) as answer:
        assert answer.status == 200
