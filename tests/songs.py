"""Songs that tests make themselves: a synthetic singer over chords."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline import io
from pipeline.synthetic import rest, sing, vibrato

RATE = 44_100


def song(seconds: float, *, voice: float = 0.3, chords: float = 0.1, seed: int = 1) -> np.ndarray:
    """(2, samples): a melody in the middle, chords at the sides; either may be left out with a level of 0."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    line: list[np.ndarray] = []
    while sum(map(len, line)) < count:
        line += [vibrato(float(rng.choice([196, 220, 262, 294])), 0.9, RATE), rest(0.1, RATE)]
    melody = voice * sing(np.concatenate(line)[:count], RATE, rng)
    t = np.arange(count) / RATE
    sides = [chords * sum(np.sin(2 * np.pi * hz * t) for hz in chord) for chord in ((110, 165), (131, 220))]
    return (np.stack([melody, melody]) + np.stack(sides)).astype(np.float32)


def write_song(path: Path, seconds: float, **levels: float) -> Path:
    """A song as a file whose suffix names its format."""
    io.encode(path, song(seconds, **levels), RATE)  # type: ignore[arg-type]
    return path
