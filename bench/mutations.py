"""Audio files as accidents and attackers make them: valid ones, with some of their bytes wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from pipeline.encoder import Track
from pipeline.synthetic import sing, vibrato

RATE = 16_000
SECONDS = 1.2
CONTAINERS = {  # how it is named: the container and the codec
    "wav": ("wav", "pcm_s16le"),
    "float.wav": ("wav", "pcm_f32le"),
    "aiff": ("aiff", "pcm_s16be"),
    "flac": ("flac", "flac"),
    "mp3": ("mp3", "libmp3lame"),
    "opus": ("ogg", "libopus"),
    "m4a": ("mp4", "aac"),
    "webm": ("webm", "libopus"),
}
EXTREMES = (
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\x01\x00\x00\x00",
)
HEADER = 200  # bytes, in which most of a file's sizes and counts stand


def originals(folder: Path) -> dict[str, bytes]:
    """A short melody in each container."""
    voice = (0.3 * sing(vibrato(200.0, SECONDS, RATE), RATE, np.random.default_rng(1))).astype(np.float32)
    made = {}
    for name, (container, codec) in CONTAINERS.items():
        path = folder / f"original.{name}"
        with av.open(str(path), "w", format=container) as output:
            track = Track(output, codec, RATE, 1)
            track.push(voice[:, np.newaxis])
            track.finish()
        made[name] = path.read_bytes()
    return made


def flip_bits(data: bytearray, rng: random.Random) -> None:
    """A few bits anywhere."""
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_header_bits(data: bytearray, rng: random.Random) -> None:
    """A few bits where the sizes are."""
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(min(HEADER, len(data)))] ^= 1 << rng.randrange(8)


def write_extremes(data: bytearray, rng: random.Random) -> None:
    """Sizes and counts that cannot be."""
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(max(1, min(HEADER, len(data)) - 4))
        data[place : place + 4] = rng.choice(EXTREMES)


def truncate(data: bytearray, rng: random.Random) -> None:
    """Only the beginning."""
    del data[rng.randrange(len(data)) :]


def cut_out(data: bytearray, rng: random.Random) -> None:
    """A part is missing."""
    start = rng.randrange(len(data))
    del data[start : start + rng.randint(1, max(1, len(data) // 4))]


def repeat(data: bytearray, rng: random.Random) -> None:
    """A part comes several times."""
    start = rng.randrange(len(data))
    part = data[start : start + rng.randint(1, 2000)]
    data[start:start] = part * rng.randint(1, 20)


def insert_noise(data: bytearray, rng: random.Random) -> None:
    """Bytes of something else."""
    place = rng.randrange(len(data))
    data[place:place] = rng.randbytes(rng.randint(1, 2000))


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip_bits,
    flip_header_bits,
    write_extremes,
    truncate,
    cut_out,
    repeat,
    insert_noise,
)


def mutate(files: dict[str, bytes], rng: random.Random) -> tuple[str, bytes]:
    """One of some files with one to three things wrong, or the head of one before the body of another."""
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    if rng.random() < 0.1:
        other = files[rng.choice(sorted(files))]
        cut = rng.randrange(HEADER)
        return f"{name}+other", bytes(data[:cut] + other[cut:])
    changes = rng.choices(MUTATIONS, k=rng.randint(1, 3))
    for change in changes:
        if data:
            change(data, rng)
    return f"{name} {'+'.join(change.__name__ for change in changes)}", bytes(data)
