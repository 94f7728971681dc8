"""How well the stems of a song add up to it, which needs nobody's opinion."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.song.decode import decode_song
from pipeline.song.track import Track

BLOCK = 1 << 18
FLOOR_DB = -150.0


@dataclass(frozen=True)
class Sums:
    """Levels in dB.

    Attributes:
        seconds: of the song.
        residual_db: what vocals and accompaniment together miss of the song, against the song.
        vocals_db, accompaniment_db: against the song.
    """

    seconds: float
    residual_db: float
    vocals_db: float
    accompaniment_db: float


def measure_stems(song: Path, vocals: Track, accompaniment: Track) -> Sums:
    """Compare stems with the song that they are of.

    Raises:
        PipelineError: the song cannot be read.
    """
    energy = np.zeros(4)  # of the song, what is missed, vocals, accompaniment
    with tempfile.TemporaryDirectory() as folder:
        whole, info = decode_song(
            song,
            Path(folder) / "song.wav",
            vocals.sample_rate,
            lambda part: None,
            max_seconds=vocals.seconds + 1,
            max_bytes=song.stat().st_size,
        )
        for start in range(0, whole.frames, BLOCK):
            mixture, sung, rest = (track.read(start, BLOCK) for track in (whole, vocals, accompaniment))
            parts = (mixture, mixture - sung - rest, sung, rest)
            energy += [float((part.astype(np.float64) ** 2).sum()) for part in parts]

    def against_song(value: float) -> float:
        return round(max(FLOOR_DB, 10 * math.log10(max(value, 1e-30) / max(energy[0], 1e-30))), 2)

    return Sums(round(info.seconds, 3), *(against_song(value) for value in energy[1:]))
