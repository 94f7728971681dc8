"""What a musician asks first of a song: its key and its tempo.

Sources: Krumhansl and Kessler, "Tracing the dynamic changes in perceived tonal organization" (1982), for the
profiles; Ellis, "Beat tracking by dynamic programming" (2007), in librosa, for the beats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.song.track import Track

Float = NDArray[np.float32]

RATE = 22_050
HOP = 512
READ_S = 30.0
MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
TONICS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
SILENT_PEAK = 1e-4
FEWEST_BEATS = 8


@dataclass(frozen=True)
class Key:
    """The estimated key.

    Attributes:
        tonic: 0 is C, 11 is B.
        mode: major or minor.
        correlation: with its profile, -1 to 1.
    """

    tonic: int
    mode: str
    correlation: float

    @property
    def name(self) -> str:
        """As musicians write it: A minor."""
        return f"{TONICS[self.tonic]} {self.mode}"


@dataclass(frozen=True)
class Tempo:
    """The estimated tempo, steady over the song.

    Attributes:
        bpm: beats per minute.
        first_beat_s: where the first of them was found.
    """

    bpm: float
    first_beat_s: float


def mono(tracks: list[Track]) -> Float:
    """The sum of some tracks of one rate and length, at RATE."""
    rate, step = tracks[0].sample_rate, round(READ_S * tracks[0].sample_rate)
    resampler = soxr.ResampleStream(rate, RATE, 1, dtype="float32")
    parts = []
    for start in range(0, tracks[0].frames, step):
        count = min(step, tracks[0].frames - start)
        sound = np.sum([track.read(start, count).mean(0) for track in tracks], 0)
        parts.append(resampler.resample_chunk(sound.astype(np.float32), last=start + count == tracks[0].frames))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def find_key(sound: Float) -> Key | None:
    """Estimate the key of (samples,) at RATE; None for silence."""
    import librosa

    if not _audible(sound):
        return None
    chroma = librosa.feature.chroma_cqt(y=sound, sr=RATE, hop_length=4096).sum(1)
    found = [
        Key(tonic, mode, float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1]))
        for mode, profile in (("major", MAJOR), ("minor", MINOR))
        for tonic in range(12)
    ]
    return max(found, key=lambda key: key.correlation)


def find_tempo(sound: Float) -> Tempo | None:
    """Estimate the tempo of (samples,) at RATE; None where there are no beats."""
    import librosa

    if not _audible(sound):
        return None
    _, frames = librosa.beat.beat_track(y=sound, sr=RATE, hop_length=HOP, trim=True)
    times_s = np.asarray(frames) * HOP / RATE
    if len(times_s) < FEWEST_BEATS:
        return None
    return Tempo(float(60 / _steady_interval(times_s)), float(times_s[0]))


def _steady_interval(times_s: NDArray[np.floating]) -> float:
    """Seconds from beat to beat, finer than a frame: beats that follow each other regularly, on a line."""
    typical = float(np.median(np.diff(times_s)))
    steps = np.maximum(1, np.round(np.diff(times_s) / typical))
    count = np.concatenate(([0.0], np.cumsum(steps)))
    return float(np.polyfit(count, times_s, 1)[0])


def _audible(sound: Float) -> bool:
    return len(sound) >= RATE and bool(np.abs(sound).max() > SILENT_PEAK)
