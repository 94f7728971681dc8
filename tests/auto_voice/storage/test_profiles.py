import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auto_voice.storage.errors import NotYourProfile, ProfileNotFound
from auto_voice.storage.leftovers import sweep
from auto_voice.storage.profiles import BUILTIN, ProfileStore
from pipeline.profile import ProfileMeasurement
from pipeline.voice_file import load_voice


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    return ProfileStore(tmp_path / "profiles")


@pytest.fixture(scope="module")
def measured() -> ProfileMeasurement:
    return ProfileMeasurement(
        load_voice(BUILTIN / "aria.safetensors"), {"duration_seconds": 40.0}, {}, {}, ["a"]
    )


def own(store: ProfileStore, user: str | None = None) -> list[dict[str, Any]]:
    return [p for p in store.list(user, limit=200)[0] if not p["builtin"]]


def test_what_is_stored_comes_back(store: ProfileStore, measured: ProfileMeasurement) -> None:
    made = store.create(measured, "ann", "Ann", "her voice")
    assert store.get(made["profile_id"]) == made
    voice = store.voice(made["profile_id"])
    assert voice.name == "Ann"
    assert voice.voice_id == made["profile_id"]
    assert np.array_equal(voice.timbre.classes, measured.voice.timbre.classes)


def test_pages_are_sorted_and_counted(store: ProfileStore, measured: ProfileMeasurement) -> None:
    for name in ("Cid", "Ann", "Bob"):
        store.create(measured, "ann", name)
    store.create(measured, "zoe", "Zoe")
    items, total = store.list("ann", sort_by="profile_name", order="asc", limit=200)
    assert [p["profile_name"] for p in items if not p["builtin"]] == ["Ann", "Bob", "Cid"]
    assert total == len(items)
    assert len(own(store)) == 4
    assert store.list("ann", offset=1, limit=2)[0] == store.list("ann", limit=200)[0][1:3]


def test_only_the_owner_deletes(store: ProfileStore, measured: ProfileMeasurement) -> None:
    made = store.create(measured, "ann", "Ann")
    for user in (None, "bob"):
        with pytest.raises(NotYourProfile):
            store.delete(made["profile_id"], user)
    with pytest.raises(NotYourProfile):
        store.delete("aria", "ann")
    store.delete(made["profile_id"], "ann")
    with pytest.raises(ProfileNotFound):
        store.get(made["profile_id"])


@pytest.mark.parametrize("profile_id", ["", "nobody", "../etc", "aria/../aria", "\x00", "A" * 1000])
def test_ids_that_are_none_are_not_found(store: ProfileStore, profile_id: str) -> None:
    for ask in (store.get, store.voice):
        with pytest.raises(ProfileNotFound):
            ask(profile_id)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"\xff", b'{"profile_id": "x"}'])
def test_a_damaged_profile_hides_and_the_rest_stays(
    store: ProfileStore, measured: ProfileMeasurement, damage: bytes, tmp_path: Path
) -> None:
    bad, good = store.create(measured, "ann", "Bad"), store.create(measured, "ann", "Good")
    (tmp_path / "profiles" / bad["profile_id"] / "profile.json").write_bytes(damage)
    assert [p["profile_name"] for p in own(store)] == ["Good"]
    with pytest.raises(ProfileNotFound):
        store.get(bad["profile_id"])
    (tmp_path / "profiles" / good["profile_id"] / "voice.safetensors").write_bytes(damage)
    with pytest.raises(ProfileNotFound):
        store.voice(good["profile_id"])


def test_a_full_disk_leaves_nothing_behind(
    store: ProfileStore, measured: ProfileMeasurement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.create(measured, "ann", "Ann")
    assert list((tmp_path / "profiles").iterdir()) == []


def test_a_reader_never_sees_half_a_profile(store: ProfileStore, measured: ProfileMeasurement) -> None:
    stop = threading.Event()
    problems: list[str] = []

    def read() -> None:
        while not stop.is_set():
            for profile in own(store):
                try:
                    store.voice(profile["profile_id"])
                except ProfileNotFound:
                    if profile["profile_id"] in {p["profile_id"] for p in own(store)}:
                        problems.append(profile["profile_id"])

    reader = threading.Thread(target=read)
    reader.start()
    for index in range(20):
        made = store.create(measured, "ann", f"Ann {index}")
        if index % 2:
            store.delete(made["profile_id"], "ann")
    stop.set()
    reader.join()
    assert not problems
    assert len(own(store)) == 10


def test_the_catalogue_and_its_files_agree() -> None:
    entries = json.loads((BUILTIN / "catalogue.json").read_text())["voices"]
    assert len(entries) >= 6
    for entry in entries:
        voice = load_voice(BUILTIN / f"{entry['profile_id']}.safetensors")
        assert voice.name == entry["profile_name"]
        assert voice.median_f0_hz == pytest.approx(entry["vocal_range"]["median_pitch_hz"], abs=0.1)
        assert entry["licence"]
        assert entry["source"]
    assert {f.stem for f in BUILTIN.glob("*.safetensors")} == {e["profile_id"] for e in entries}


def test_leftovers_of_a_killed_server_are_swept(tmp_path: Path) -> None:
    for name in (".new-1", ".old-2", "kept", ".new-young"):
        (tmp_path / name).mkdir()
        if name != ".new-young":
            os.utime(tmp_path / name, (0, 0))
    assert sweep(tmp_path, ".new-", ".old-") == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [".new-young", "kept"]
    assert sweep(tmp_path / "nowhere", "a") == 0
