"""Results of long work by content: the same input, stage and parameters give the same entry.

An entry is a folder of files with a manifest of their sizes and checksums. It appears whole or not at all, is
verified when it is used, and goes when it is too old, or when the cache is too large (least recently used
first). Processes may share a cache; two that want the same missing entry build it once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from auto_voice.settings import Settings

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
CHUNK = 1 << 20
WAIT_S = 0.2


def content_key(*parts: object) -> str:
    """A name for what these parts determine."""
    text = json.dumps([str(part) for part in parts])
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def file_hash(path: Path) -> str:
    """blake2b of a file's content."""
    digest = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class ContentCache:
    """A folder of entries.

    Args:
        directory: made if it is not there.
        max_bytes: what all entries together may take.
        ttl_s: seconds that an entry of a kind is kept after its last use.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int,
        ttl_s: dict[str, float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        directory.mkdir(parents=True, exist_ok=True)

    def get(self, kind: str, key: str) -> Path | None:
        """The folder of an entry, verified and marked as used; None where there is none (any more)."""
        folder = self.directory / kind / key
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
            good = all(
                (folder / name).stat().st_size == size and file_hash(folder / name) == digest
                for name, (size, digest) in manifest.items()
            )
        except FileNotFoundError:
            good = False
        except (OSError, ValueError, TypeError, AttributeError) as problem:
            log.warning("cache entry %s/%s cannot be read: %s", kind, key, problem)
            good = False
        if good:
            now = self._clock()
            os.utime(folder / MANIFEST, (now, now))
            return folder
        if folder.exists():
            log.warning("cache entry %s/%s is damaged and is thrown away", kind, key)
            _remove(folder)
        return None

    def get_or_build(
        self, kind: str, key: str, build: Callable[[Path], None], *, waiting: Callable[[], None] = lambda: None
    ) -> tuple[Path, bool]:
        """The folder of an entry, and whether it was there already.

        Args:
            kind, key: its name.
            build: writes the files into the folder it is given; whatever it raises leaves nothing behind.
            waiting: called now and then while another process builds the entry; may raise.
        """
        if (found := self.get(kind, key)) is not None:
            return found, True
        (self.directory / kind).mkdir(parents=True, exist_ok=True)
        with (self.directory / kind / f".{key}.lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    waiting()
                    time.sleep(WAIT_S)
            if (found := self.get(kind, key)) is not None:
                return found, True
            return self._build(kind, key, build), False

    def size_bytes(self) -> int:
        """What all files in it take together, half-built ones too."""
        total = 0
        for folder, _, names in os.walk(self.directory):
            for name in names:
                try:
                    total += os.stat(os.path.join(folder, name)).st_size  # noqa: PTH116, PTH118
                except FileNotFoundError:
                    continue  # it went meanwhile
        return total

    def clear(self, kind: str | None = None, unused_s: float = 0.0) -> int:
        """Remove entries, of a kind or of all, that have not been used for as long; returns the bytes freed."""
        freed, now = 0, self._clock()
        for folder in self.directory.glob(f"{kind or '*'}/[!.]*"):
            try:
                used = (folder / MANIFEST).stat().st_mtime
            except (FileNotFoundError, NotADirectoryError):
                continue
            if now - used >= unused_s:
                freed += _remove(folder)
        return freed

    def clean(self) -> int:
        """Remove what is too old, left over, or too much; returns the bytes freed."""
        entries = []
        freed = 0
        now = self._clock()
        for kind in [d for d in self.directory.iterdir() if d.is_dir()]:
            ttl = self._ttl_s.get(kind.name, 86_400.0)
            for folder in kind.iterdir():
                try:
                    if folder.name.startswith("."):  # locks and half-built entries
                        if now - folder.stat().st_mtime > 86_400.0:
                            freed += _remove(folder)
                        continue
                    used, size = (folder / MANIFEST).stat().st_mtime, _size(folder)
                except FileNotFoundError:
                    freed += _remove(folder)
                    continue
                if now - used > ttl:
                    freed += _remove(folder)
                else:
                    entries.append((used, size, folder))
        total = sum(size for _, size, _ in entries)
        for _, size, folder in sorted(entries):
            if total <= self._max_bytes:
                break
            freed += _remove(folder)
            total -= size
        return freed

    def _build(self, kind: str, key: str, build: Callable[[Path], None]) -> Path:
        aside = self.directory / kind / f".{uuid.uuid4().hex}"
        aside.mkdir()
        try:
            build(aside)
            files = [path for path in sorted(aside.iterdir()) if path.is_file()]
            manifest = {path.name: (path.stat().st_size, file_hash(path)) for path in files}
            (aside / MANIFEST).write_text(json.dumps(manifest))
            now = self._clock()
            os.utime(aside / MANIFEST, (now, now))
            final = self.directory / kind / key
            aside.rename(final)
        except BaseException:
            _remove(aside)
            raise
        return final


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _remove(path: Path) -> int:
    """Delete a folder or file that others may be deleting, too; returns its size."""
    try:
        size = _size(path) if path.is_dir() else path.stat().st_size
    except FileNotFoundError:
        return 0
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return size


KINDS = ("stems", "pitch", "conversion", "rendition")


def open_cache(settings: Settings) -> ContentCache:
    """The cache of what jobs make on their way, as the settings want it."""
    hours = settings.cache
    ttl = dict.fromkeys(("stems", "pitch"), hours.separation_ttl_hours * 3600)
    return ContentCache(
        settings.storage.cache_dir,
        max_bytes=int(settings.storage.max_cache_size_gb * 2**30),
        ttl_s={**ttl, **dict.fromkeys(("conversion", "rendition"), hours.conversion_ttl_hours * 3600)},
    )
