"""Audio files in and out, through PyAV and soxr, as streams with limits."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from kernels.resampler import StreamResampler
from pipeline.encoder import ENCODERS, Track
from pipeline.errors import InvalidAudioFormat, InvalidDuration
from pipeline.reader import AudioReader, Source

Float = NDArray[np.float32]

ENCODED_AT_A_TIME = 65_536  # samples


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


def decode(source: Source, *, sample_rate: int, max_seconds: float, max_bytes: int | None = None) -> Audio:
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
    with AudioReader(source, max_bytes) as reader:
        resampler = StreamResampler(reader.sample_rate, sample_rate)
        parts: list[Float] = []
        total = 0
        for block in reader.blocks(channels=1):
            parts.append(resampler.push(block[0]))
            total += len(parts[-1])
            if total > max_seconds * sample_rate:
                raise InvalidDuration(
                    f"the recording is longer than {max_seconds:g} s", "send a shorter part of it"
                )
        parts.append(resampler.finish(np.zeros(0, np.float32)))
        return Audio(
            np.concatenate(parts),
            sample_rate,
            reader.sample_rate,
            reader.channels,
            reader.format,
            reader.replaced,
        )


def check_writable(path: Path) -> None:
    """Refuse at once what could not be written after much work.

    Raises:
        InvalidAudioFormat: a suffix that names no format.
        OSError: there is no such folder, or it may not be written to.
    """
    if path.suffix.lower() not in ENCODERS:
        raise InvalidAudioFormat(
            f"cannot write {path.suffix or path.name}", f"use one of {', '.join(ENCODERS)}"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))


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
    planes = np.atleast_2d(samples)
    encode_blocks(path, [planes], sample_rate, len(planes))


def encode_blocks(path: Path, blocks: Iterable[Float], sample_rate: int, channels: int) -> None:
    """As `encode`, from blocks of (channels, samples) that never are in memory together."""
    check_writable(path)
    container_format, codec = ENCODERS[path.suffix.lower()]
    aside = path.with_name(f".{path.name}.part")
    try:
        with av.open(str(aside), "w", format=container_format) as container:
            track = Track(container, codec, sample_rate, channels)
            for block in blocks:
                for start in range(0, block.shape[1], ENCODED_AT_A_TIME):
                    track.push(np.ascontiguousarray(block[:, start : start + ENCODED_AT_A_TIME].T))
            track.finish()
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
