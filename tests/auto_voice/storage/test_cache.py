import multiprocessing
import os
import time
from pathlib import Path

import pytest

from auto_voice.storage.cache import ContentCache, content_key, file_hash

DAY = 86_400.0


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(folder: Path, clock: Clock, max_bytes: int = 10**6) -> ContentCache:
    return ContentCache(folder / "cache", max_bytes=max_bytes, ttl_s={"stems": DAY}, clock=clock)


def build(size: int = 100) -> object:
    def write(folder: Path) -> None:
        (folder / "a.bin").write_bytes(b"x" * size)

    return write


def test_an_entry_is_built_once(tmp_path: Path, clock: Clock) -> None:
    cache, calls = make(tmp_path, clock), []

    def write(folder: Path) -> None:
        calls.append(folder)
        (folder / "a.bin").write_bytes(b"content")

    first, cached = cache.get_or_build("stems", "k", write)
    again, cached_then = cache.get_or_build("stems", "k", write)
    assert (cached, cached_then) == (False, True)
    assert first == again
    assert len(calls) == 1
    assert (again / "a.bin").read_bytes() == b"content"


@pytest.mark.parametrize("damage", ["change", "truncate", "delete", "manifest"])
def test_a_damaged_entry_is_built_again(damage: str, tmp_path: Path, clock: Clock) -> None:
    cache = make(tmp_path, clock)
    folder, _ = cache.get_or_build("stems", "k", build())  # type: ignore[arg-type]
    file = folder / "a.bin"
    if damage == "change":
        file.write_bytes(b"y" * 100)
    elif damage == "truncate":
        file.write_bytes(b"x")
    elif damage == "delete":
        file.unlink()
    else:
        (folder / "manifest.json").write_text("[")
    assert cache.get("stems", "k") is None
    folder, cached = cache.get_or_build("stems", "k", build())  # type: ignore[arg-type]
    assert not cached
    assert (folder / "a.bin").read_bytes() == b"x" * 100


def test_a_failed_build_leaves_nothing(tmp_path: Path, clock: Clock) -> None:
    cache = make(tmp_path, clock)

    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        cache.get_or_build("stems", "k", fail)
    assert cache.get("stems", "k") is None
    assert [p for p in (tmp_path / "cache" / "stems").iterdir() if not p.name.endswith(".lock")] == []


def test_what_is_old_goes_and_what_is_used_stays(tmp_path: Path, clock: Clock) -> None:
    cache = make(tmp_path, clock)
    for key in ("old", "used"):
        cache.get_or_build("stems", key, build())  # type: ignore[arg-type]
    clock.now += 0.9 * DAY
    assert cache.get("stems", "used") is not None
    clock.now += 0.2 * DAY
    assert cache.clean() > 100
    assert cache.get("stems", "old") is None
    assert cache.get("stems", "used") is not None


def test_a_kind_is_cleared_and_what_was_used_since_is_kept(tmp_path: Path, clock: Clock) -> None:
    cache = ContentCache(tmp_path, max_bytes=2**20, ttl_s={}, clock=clock)
    for kind in ("stems", "pitch"):
        cache.get_or_build(kind, "old", lambda folder: (folder / "a").touch())
    clock.now += 100
    cache.get_or_build("stems", "new", lambda folder: (folder / "a").touch())
    assert cache.size_bytes() == sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert cache.clear("stems", 50) > 0
    assert (cache.get("stems", "old"), cache.get("stems", "new") is None) == (None, False)
    assert cache.get("pitch", "old") is not None
    assert cache.clear() > 0
    assert cache.get("stems", "new") is None


def test_the_least_recently_used_go_first_when_it_is_too_large(tmp_path: Path, clock: Clock) -> None:
    cache = make(tmp_path, clock, max_bytes=3000)
    for key in ("a", "b", "c"):
        cache.get_or_build("stems", key, build(1000))  # type: ignore[arg-type]
        clock.now += 1
    assert cache.get("stems", "a") is not None
    clock.now += 1
    cache.clean()
    assert [key for key in ("a", "b", "c") if cache.get("stems", key)] == ["a", "c"]


def _build_slowly(folder: Path, log: Path) -> None:
    def write(target: Path) -> None:
        with log.open("a") as file:
            file.write("built\n")
        time.sleep(0.5)
        (target / "a.bin").write_bytes(b"x")

    ContentCache(folder, max_bytes=10**6, ttl_s={}).get_or_build("stems", "k", write)


def test_two_processes_build_an_entry_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    processes = [context.Process(target=_build_slowly, args=(tmp_path / "cache", log)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert log.read_text() == "built\n"


def test_a_dead_builder_is_no_obstacle(tmp_path: Path, clock: Clock) -> None:
    cache = make(tmp_path, clock)
    (tmp_path / "cache" / "stems" / ".0123").mkdir(parents=True)
    (tmp_path / "cache" / "stems" / ".0123" / "half").write_bytes(b"x")
    (tmp_path / "cache" / "stems" / ".k.lock").write_text("")
    assert not cache.get_or_build("stems", "k", build())[1]  # type: ignore[arg-type]
    old = clock.now - 2 * DAY
    os.utime(tmp_path / "cache" / "stems" / ".0123", (old, old))
    cache.clean()
    assert not (tmp_path / "cache" / "stems" / ".0123").exists()


def test_keys_tell_contents_apart(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert file_hash(tmp_path / "a") == file_hash(tmp_path / "b")
    assert content_key("a", "bc") != content_key("ab", "c")
