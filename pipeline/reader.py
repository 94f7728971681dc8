"""Audio files of any kind as a stream of float32 blocks, through PyAV, with limits."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import AudioTooShort, FileTooLarge, InvalidAudio, InvalidAudioFormat, InvalidSampleRate

Float = NDArray[np.float32]
Source = Path | bytes | BinaryIO

RATES_HZ = (8_000, 192_000)
MAX_CHANNELS = 8
REPLACED_MOST = 0.01  # more not-a-numbers than this, and the file is refused
LOUDEST = 8.0  # samples beyond are limited: no recording means them
CONTAINERS = "wav,w64,flac,mp3,ogg,matroska,webm,mov,mp4,m4a,aac,aiff,caf,asf,au,amr,ape,wv"  # FFmpeg's names
KINDS = "send WAV, FLAC, MP3, OGG, M4A or WebM"
# weights of a channel in (left, right), after ITU-R BS.775 (the low-frequency channel is left out)
DOWNMIX = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (0.7071, 0.7071),
    "BL": (0.7071, 0.0),
    "BR": (0.0, 0.7071),
    "SL": (0.7071, 0.0),
    "SR": (0.0, 0.7071),
    "BC": (0.5, 0.5),
    "LFE": (0.0, 0.0),
}


class AudioReader:
    """The first audio stream of a file; used in a `with` block.

    Args:
        source: a path, the bytes, or an open binary file.
        max_bytes: the most that the file may hold.

    Raises:
        FileTooLarge: before anything is decoded.
        InvalidAudio: empty, damaged or not audio.
        InvalidAudioFormat: no audio stream, or more than eight channels.
        InvalidSampleRate: outside 8 to 192 kHz.
    """

    def __init__(self, source: Source, max_bytes: int | None = None) -> None:
        size = _size(source)
        if max_bytes is not None and size > max_bytes:
            raise FileTooLarge(f"the file holds {size / 2**20:.0f} MB; {max_bytes / 2**20:.0f} MB are allowed")
        if size == 0:
            raise InvalidAudio("the file is empty", "record or export it again")
        self.replaced = 0  # samples that were not numbers, now 0
        self.frames = 0  # decoded so far
        target = str(source) if isinstance(source, Path) else source
        try:
            self._container: Any = av.open(
                io.BytesIO(target) if isinstance(target, bytes) else target,
                metadata_errors="ignore",
                # containers only: a playlist would make FFmpeg open other files, or itself without end
                options={"format_whitelist": CONTAINERS, "protocol_whitelist": "file"},
            )
        except av.error.FFmpegError as problem:
            raise _undecodable(problem) from problem
        try:
            self._examine()
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def _examine(self) -> None:
        if not self._container.streams.audio:
            raise InvalidAudioFormat("the file holds no audio", KINDS)
        self._stream = self._container.streams.audio[0]
        codec = self._stream.codec_context
        if codec is None:
            raise InvalidAudioFormat("the file holds audio that nothing here can decode", KINDS)
        self.sample_rate: int = codec.sample_rate
        self.channels: int = codec.channels
        self.format: str = self._container.format.name
        if not RATES_HZ[0] <= self.sample_rate <= RATES_HZ[1]:
            raise InvalidSampleRate(
                f"a sample rate of {self.sample_rate} Hz cannot be used",
                f"use {RATES_HZ[0]} to {RATES_HZ[1]} Hz",
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise InvalidAudioFormat(f"{self.channels} channels cannot be used", f"use at most {MAX_CHANNELS}")

    @property
    def seconds(self) -> float | None:
        """The duration that the file claims; None when it claims none."""
        length = self._container.duration
        return None if length is None else float(length) / av.time_base

    def blocks(self, channels: int) -> Iterator[Float]:
        """Decode to (channels, samples) float32 in [-1, 1] and a little beyond, at the file's rate.

        One channel is the average of all; two are the file's own, or its downmix. What is damaged at the end is
        left out.

        Raises:
            InvalidAudio: nothing can be decoded, or too much of it is no number.
            AudioTooShort: no sound at all.
        """
        try:
            for frame in self._decoded():
                planes = _planar(frame)
                self.frames += planes.shape[1]
                wrong = ~np.isfinite(planes)
                if wrong.any():
                    self.replaced += int(wrong.any(0).sum())
                    planes[wrong] = 0.0
                yield _mixed(np.clip(planes, -LOUDEST, LOUDEST), frame.layout, channels)
        except av.error.FFmpegError as problem:
            raise _undecodable(problem) from problem
        if not self.frames:
            raise AudioTooShort("the file holds no sound", "record or export it again")
        if self.replaced > REPLACED_MOST * self.frames:
            raise InvalidAudio(
                f"{self.replaced} samples of {self.frames} are not numbers", "export the recording again"
            )

    def _decoded(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        decoded = False
        while True:
            try:
                frames = next(packets).decode()
            except StopIteration:
                return
            except (av.error.InvalidDataError, av.error.EOFError):
                if not decoded:
                    raise
                return
            decoded = decoded or bool(frames)
            yield from frames


def _size(source: Source) -> int:
    if isinstance(source, bytes):
        return len(source)
    if isinstance(source, Path):
        try:
            return source.stat().st_size
        except OSError as problem:
            raise InvalidAudio(f"cannot read {source.name}: {problem.strerror}") from problem
    place = source.tell()
    end = source.seek(0, os.SEEK_END)
    source.seek(place)
    return end


def _undecodable(problem: av.error.FFmpegError) -> InvalidAudio:
    return InvalidAudio(f"the file cannot be decoded ({problem.strerror})", KINDS)


def _planar(frame: Any) -> Float:
    """One decoded frame as (channels, samples) float32."""
    try:
        samples = frame.to_ndarray()
    except ValueError as problem:  # 64-bit integers, say
        raise InvalidAudioFormat(f"{frame.format.name} samples cannot be used", KINDS) from problem
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return np.asarray(samples.astype(np.float32) / 128 - 1)
    if samples.dtype.kind == "i":
        return np.asarray(samples.astype(np.float32) / np.float32(-float(np.iinfo(samples.dtype).min)))
    with np.errstate(over="ignore"):  # what a float cannot hold is no number of a sample either
        return np.array(samples, np.float32)


def _mixed(planes: Float, layout: Any, channels: int) -> Float:
    if channels == 1:
        return np.asarray(planes.mean(axis=0, keepdims=True), np.float32)
    if len(planes) == 1:
        return np.repeat(planes, 2, axis=0)
    if len(planes) == 2:
        return planes
    names = [channel.name for channel in layout.channels]
    weights = np.array([DOWNMIX.get(name, (0.5, 0.5)) for name in names], np.float32).T
    return np.asarray(weights @ planes / weights.sum(1, keepdims=True).max(), np.float32)
