from __future__ import annotations

from pathlib import Path

from auto_voice.storage.cache import ContentCache
from auto_voice.web.health import CACHE_LOOK_S, CacheSize


def build(folder: Path) -> None:
    (folder / "a").write_bytes(b"x" * 1000)


def test_the_size_of_the_cache_is_looked_at_now_and_then(tmp_path: Path) -> None:
    now = 0.0
    cache = ContentCache(tmp_path / "cache", max_bytes=2**20, ttl_s={})
    size = CacheSize(cache, lambda: now)
    assert size.size_bytes() == 0
    folder, _ = cache.get_or_build("stems", "k", build)
    assert size.size_bytes() == 0
    now = CACHE_LOOK_S + 1
    assert size.size_bytes() == 1000 + (folder / "manifest.json").stat().st_size
