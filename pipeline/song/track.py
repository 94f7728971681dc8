"""Audio on disk that is written once from the front and then read anywhere: what the song stages hand on.

A track is a WAV file of 32-bit floats, so any program can open it; memory use does not depend on its length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
IEEE_FLOAT = 3


class Track:
    """A finished track.

    Raises:
        ValueError: the file is not a whole track.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            head = file.read(HEADER.size)
        if len(head) < HEADER.size:
            raise ValueError(f"{path.name} is no track")
        riff, _, wave, _, _, kind, channels, rate, _, frame, bits, tag, size = HEADER.unpack(head)
        if (riff, wave, kind, bits, tag) != (
            b"RIFF",
            b"WAVE",
            IEEE_FLOAT,
            32,
            b"data",
        ) or frame != 4 * channels:
            raise ValueError(f"{path.name} is no track")
        if path.stat().st_size != HEADER.size + size:
            raise ValueError(f"{path.name} is cut off")
        self.sample_rate: int = rate
        self.channels: int = channels
        self.frames: int = size // frame

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.sample_rate

    def read(self, start: int, count: int) -> Float:
        """(channels, count) samples from `start` on; zeros before the beginning and after the end."""
        out = np.zeros((self.channels, count), np.float32)
        low, high = max(start, 0), min(start + count, self.frames)
        if low < high:
            flat = np.fromfile(
                self.path, "<f4", (high - low) * self.channels, offset=HEADER.size + 4 * low * self.channels
            )
            out[:, low - start : high - start] = flat.reshape(-1, self.channels).T
        return out

    def blocks(self, size: int) -> Iterator[Float]:
        """The whole track as (channels, up to `size`) blocks."""
        for start in range(0, self.frames, size):
            yield self.read(start, min(size, self.frames - start))


class TrackWriter:
    """Writes a track; used in a `with` block. A track that is not finished cannot be opened.

    Args:
        path: where; overwritten.
        sample_rate: Hz.
        channels: 1 or 2.
    """

    def __init__(self, path: Path, sample_rate: int, channels: int) -> None:
        self.path = path
        self.sample_rate = sample_rate
        self.channels = channels
        self.frames = 0
        self._file: BinaryIO = path.open("wb")
        self._file.write(self._header(0))

    def append(self, samples: Float) -> None:
        """Add (channels, samples) float32."""
        if samples.ndim != 2 or samples.shape[0] != self.channels:
            raise ValueError(f"{self.channels} channels are needed, not {samples.shape}")
        self._file.write(np.ascontiguousarray(samples.T, "<f4").data)
        self.frames += samples.shape[1]

    def __enter__(self) -> TrackWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.seek(0)
            self._file.write(self._header(self.frames))
        self._file.close()

    def _header(self, frames: int) -> bytes:
        frame = 4 * self.channels
        size = frames * frame
        return HEADER.pack(
            *(b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, IEEE_FLOAT, self.channels, self.sample_rate),
            *(self.sample_rate * frame, frame, 32, b"data", size),
        )
