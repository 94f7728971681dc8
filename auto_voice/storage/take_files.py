"""The sound of a take as it comes: raw samples, appended at their place, in pieces that may be sent again."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from auto_voice.storage.errors import StorageError

RATE = 48_000
CHANNELS = {"dry": 1, "voice": 1, "mix": 2}
BLOCK = 1 << 16  # samples
POLL_S = 0.1  # until a lock is asked for again

Piece = Literal["dry", "voice", "mix"]


class BadChunk(StorageError):
    """A piece that does not fit; `details` tell how many samples there are."""

    def __init__(self, code: str, message: str, suggestion: str, received: int) -> None:
        super().__init__(code, message, suggestion)
        self.details = {"received": received}


class SamplesFile:
    """One track: 16-bit little-endian samples, channels interleaved, 48 kHz.

    Args:
        path: of the file; it is not there as long as nothing has come.
        channels: 1 or 2.
    """

    def __init__(self, path: Path, channels: int) -> None:
        self.path = path
        self.channels = channels
        self._frame = 2 * channels

    @property
    def frames(self) -> int:
        """Samples that have come, per channel."""
        try:
            return self.path.stat().st_size // self._frame
        except FileNotFoundError:
            return 0

    def append(
        self, position: int, data: bytes, most_frames: int, check: Callable[[], None] = lambda: None
    ) -> int:
        """Add samples; what is there already may be sent again, as it was.

        Args:
            position: the sample of the take with which `data` begins.
            data: whole samples.
            most_frames: as long as the track may get.
            check: raises where nothing may be added any more; nobody else adds or cuts meanwhile.

        Returns:
            Samples that are there now, on disk.

        Raises:
            BadChunk: `invalid_parameter` (half a sample), `chunk_gap`, `chunk_conflict`,
                `invalid_audio_duration`. OSError: the disk is full; the track is as it was.
        """
        if len(data) % self._frame:
            raise BadChunk(
                "invalid_parameter",
                f"{len(data)} bytes are no whole samples",
                f"a sample is {self._frame} bytes here",
                self.frames,
            )
        count = len(data) // self._frame
        with self._alone():
            check()
            there = self.frames
            if position > there:
                message = f"the samples from {there} to {position} have not come yet"
                raise BadChunk("chunk_gap", message, f"send from {there} on", there)
            if position + count > most_frames:
                message = f"a take of this song has at most {most_frames} samples"
                raise BadChunk("invalid_audio_duration", message, "leave out what comes after the song", there)
            known = min(count, there - position)
            if known and self._read(position, known) != data[: known * self._frame]:
                message = f"the samples from {position} on are there already, and are others"
                raise BadChunk("chunk_conflict", message, f"send from {there} on, or make another take", there)
            self._write(there, data[known * self._frame :])
            return there + count - known

    def cut(self, frames: int) -> None:
        """End after `frames` samples, if it is longer; a track of which nothing has come stays so."""
        with self._alone():
            if self.frames > frames:
                os.truncate(self.path, frames * self._frame)

    def blocks(self, frames: int) -> Iterator[NDArray[np.float32]]:
        """The first `frames` samples as (channels, up to BLOCK); silence where the file ends before."""
        for start in range(0, frames, BLOCK):
            count = min(BLOCK, frames - start)
            out = np.zeros((count, self.channels), np.float32)
            found = np.frombuffer(self._read(start, count), "<i2").reshape(-1, self.channels)
            out[: len(found)] = found / np.float32(32768)
            yield np.ascontiguousarray(out.T)

    def _read(self, start: int, count: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start * self._frame)
            return file.read(count * self._frame)

    def _write(self, there: int, data: bytes) -> None:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            with os.fdopen(descriptor, "r+b") as file:
                file.truncate(there * self._frame)  # half a sample that a crash has left
                file.seek(there * self._frame)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            os.truncate(self.path, there * self._frame)
            raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold what other processes of this server that add to the same track wait for."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@asynccontextmanager
async def finishing(folder: Path) -> AsyncIterator[None]:
    """Wait for whoever else finishes the take of a folder, in this process or another, and keep others waiting.

    Raises:
        FileNotFoundError: the folder is gone.
    """
    with (folder / "finish.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(POLL_S)
        yield
