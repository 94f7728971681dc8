"""Audio files in and out, through PyAV and soxr, as streams with limits."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from kernels.resampler import StreamResampler
from pipeline.errors import (
    AudioTooShort,
    FileTooLarge,
    InvalidAudio,
    InvalidAudioFormat,
    InvalidDuration,
    InvalidSampleRate,
)

Float = NDArray[np.float32]

RATES_HZ = (8_000, 192_000)
MAX_CHANNELS = 8
REPLACED_MOST = 0.01  # more not-a-numbers than this, and the file is refused
ENCODERS = {
    ".wav": ("wav", "pcm_s16le"),
    ".flac": ("flac", "flac"),
    ".ogg": ("ogg", "libopus"),
    ".mp3": ("mp3", "libmp3lame"),
}
OPUS_RATE = 48_000  # Opus knows no 44.1 kHz


@dataclass(frozen=True)
class Audio:
    """Decoded audio."""

    samples: Float  # (samples,) float32 mono
    sample_rate: int
    source_rate: int
    channels: int  # of the file; they are averaged
    format: str
    replaced: int  # samples that were not numbers, now 0

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / self.sample_rate


def decode(
    source: Path | bytes | BinaryIO, *, sample_rate: int, max_seconds: float, max_bytes: int | None = None
) -> Audio:
    """Decode the first audio stream of a file to mono float32.

    Args:
        source: a path, the bytes, or an open binary file.
        sample_rate: the rate wanted, in Hz.
        max_seconds: decoding stops with an error as soon as there is more than this.
        max_bytes: the most that the file may hold.

    Raises:
        FileTooLarge: before anything is decoded.
        InvalidAudio: empty, damaged or not audio.
        InvalidAudioFormat: no audio stream, or more than eight channels.
        InvalidSampleRate: outside 8 to 192 kHz.
        InvalidDuration: longer than `max_seconds`.
        AudioTooShort: no sound at all.
    """
    size = _size(source)
    if max_bytes is not None and size > max_bytes:
        raise FileTooLarge(f"the file holds {size / 2**20:.0f} MB; {max_bytes / 2**20:.0f} MB are allowed")
    if size == 0:
        raise InvalidAudio("the file is empty", "record or export it again")
    target = (
        str(source) if isinstance(source, Path) else io.BytesIO(source) if isinstance(source, bytes) else source
    )
    try:
        with av.open(target, metadata_errors="ignore") as container:
            return _decode_stream(container, sample_rate, max_seconds)
    except av.error.FFmpegError as problem:
        raise InvalidAudio(
            f"the file cannot be decoded ({problem.strerror})", "send WAV, FLAC, MP3, OGG, M4A or WebM"
        ) from problem


def _size(source: Path | bytes | BinaryIO) -> int:
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


def _decode_stream(container: Any, sample_rate: int, max_seconds: float) -> Audio:
    if not container.streams.audio:
        raise InvalidAudioFormat("the file holds no audio", "send WAV, FLAC, MP3, OGG, M4A or WebM")
    stream = container.streams.audio[0]
    rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise InvalidSampleRate(
            f"a sample rate of {rate} Hz cannot be used", f"use {RATES_HZ[0]} to {RATES_HZ[1]} Hz"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise InvalidAudioFormat(f"{channels} channels cannot be used", f"use at most {MAX_CHANNELS}")
    resampler = StreamResampler(rate, sample_rate)
    parts: list[Float] = []
    total = replaced = count = 0
    for block in _mono_blocks(container, stream):
        count += len(block)
        wrong = ~np.isfinite(block)
        if wrong.any():
            replaced += int(wrong.sum())
            block[wrong] = 0.0
        parts.append(resampler.push(np.clip(block, -8.0, 8.0)))
        total += len(parts[-1])
        if total > max_seconds * sample_rate:
            raise InvalidDuration(
                f"the recording is longer than {max_seconds:g} s", "send a shorter part of it"
            )
    parts.append(resampler.finish(np.zeros(0, np.float32)))
    samples = np.concatenate(parts)
    if not count:
        raise AudioTooShort("the file holds no sound", "record or export it again")
    if replaced > REPLACED_MOST * count:
        raise InvalidAudio(f"{replaced} samples of {count} are not numbers", "export the recording again")
    return Audio(samples, sample_rate, rate, channels, container.format.name, replaced)


def _mono_blocks(container: Any, stream: Any) -> Iterator[Float]:
    """Decoded frames as (samples,) float32, channels averaged; a damaged end is left out."""
    decoded = False
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            break
        except (av.error.InvalidDataError, av.error.EOFError):
            if not decoded:
                raise
            break
        for frame in frames:
            decoded = True
            yield _mono(frame)


def _mono(frame: Any) -> Float:
    """One decoded frame as (samples,) float32 in [-1, 1], channels averaged."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        samples = samples.astype(np.float32) / 128 - 1
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / np.float32(-float(np.iinfo(samples.dtype).min))
    return np.asarray(samples.mean(axis=0), np.float32)


def encode(path: Path, samples: Float, sample_rate: int) -> None:
    """Write audio to a file whose suffix names the format: .wav (16 bit), .flac, .ogg or .mp3.

    Args:
        path: written whole or not at all.
        samples: (samples,) mono or (2, samples) stereo float32 in [-1, 1]; louder is clipped.
        sample_rate: Hz.

    Raises:
        InvalidAudioFormat: another suffix.
        OSError: the file cannot be written.
    """
    if path.suffix.lower() not in ENCODERS:
        raise InvalidAudioFormat(
            f"cannot write {path.suffix or path.name}", f"use one of {', '.join(ENCODERS)}"
        )
    container_format, codec = ENCODERS[path.suffix.lower()]
    planes = np.atleast_2d(samples)
    if codec == "libopus" and sample_rate != OPUS_RATE:
        planes, sample_rate = soxr.resample(planes.T, sample_rate, OPUS_RATE).T, OPUS_RATE
    pcm = (np.clip(planes, -1.0, 1.0) * 32767).round().astype(np.int16)
    layout = "mono" if len(planes) == 1 else "stereo"
    aside = path.with_name(f".{path.name}.part")
    try:
        with av.open(str(aside), "w", format=container_format) as container:
            stream: Any = container.add_stream(codec, rate=sample_rate, layout=layout)
            for start in range(0, pcm.shape[1], 65_536):
                block = np.ascontiguousarray(pcm[:, start : start + 65_536].T).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(block, format="s16", layout=layout)
                frame.sample_rate = sample_rate
                frame.pts = start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
