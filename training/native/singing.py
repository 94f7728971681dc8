"""Synthetic singing: what was spoken, with vowels held, on notes, with vibrato, in any register.

Aligned renditions are sung to one score, each in a register of its own, so that they stay aligned pairs.
Analysis and resynthesis are WORLD's (Morise, Yokomori and Ozawa, "WORLD: a vocoder-based high-quality speech
synthesis system for real-time applications", IEICE 2016); consonants keep their length and their noise.

python -m training.native.singing --audio DIR --renditions DIR --sung DIR
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import io
from training.native.renditions import RATE
from training.native.voices import training_recordings

HOP_S = 0.005  # between frames of analysis and of a score
HIGHEST_HZ = 1100.0
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10))

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """How something spoken is sung; both arrays are (frames,), HOP_S apart."""

    place: Float  # the frame of the speech that is sounding, fractional
    semitones: Float  # the melody, with glides and vibrato, against the register


def write_score(voiced: NDArray[np.bool_], rng: np.random.Generator) -> Score:
    """Hold some vowels of speech whose frames are `voiced`, (frames,), and put a melody on it."""
    rate = np.ones(len(voiced))
    edges = np.flatnonzero(np.diff(np.concatenate(([0], voiced.astype(int), [0]))))
    for start, end in edges.reshape(-1, 2):
        if end - start >= 16 and rng.random() < 0.7:
            middle = int(rng.uniform(0.35, 0.65) * (end - start)) + start
            half = int(rng.integers(4, min(14, (end - start) // 2 - 2) + 1))
            rate[middle - half : middle + half] = 1 / rng.uniform(2.0, 9.0)
    rate = np.convolve(np.pad(rate, 2, "edge"), np.ones(5) / 5, "valid") * rng.uniform(0.75, 1.1)
    clock = np.concatenate(([0.0], np.cumsum(1 / rate)))
    frames = int(clock[-1])
    place = np.interp(np.arange(frames), clock, np.arange(len(clock)))
    return Score(np.minimum(place, len(voiced) - 1), _melody(frames, rng))


def _melody(frames: int, rng: np.random.Generator) -> Float:
    scale = SCALES[rng.integers(len(SCALES))]
    notes = np.zeros(frames)
    depth = np.zeros(frames)
    at, degree = 0, int(rng.integers(0, 5))
    while at < frames:
        length = int(np.exp(rng.uniform(np.log(0.15), np.log(1.6))) / HOP_S)
        octave, step = divmod(degree, len(scale))
        notes[at : at + length] = 12 * octave + scale[step]
        held = np.arange(length) * HOP_S
        wide = rng.uniform(0.1, 1.0) * (rng.random() < 0.7)
        depth[at : at + length] = (wide * np.clip((held - 0.15) / 0.3, 0, 1))[: frames - at]
        at += length
        degree = int(np.clip(degree + rng.integers(-3, 4), -4, 9))
    smooth = int(rng.integers(6, 26))
    window = np.hanning(smooth + 2)[1:-1]
    notes = np.convolve(np.pad(notes, (smooth, smooth), "edge"), window / window.sum(), "same")[smooth:-smooth]
    phase = 2 * np.pi * np.cumsum(rng.uniform(4.5, 6.8) * HOP_S + rng.normal(0, 0.002, frames))
    drift = np.cumsum(rng.normal(0, 1, frames))
    drift = 0.15 * (drift - np.convolve(np.pad(drift, 40, "edge"), np.ones(81) / 81, "valid"))
    return np.asarray(notes + depth * np.sin(phase) + np.clip(0.2 * drift, -0.4, 0.4))


class Sung:
    """One recording, taken apart, that can sing any score.

    Args:
        audio: (samples,) at RATE.
    """

    def __init__(self, audio: NDArray[np.float32]) -> None:
        import pyworld

        self._world: Any = pyworld
        x = np.ascontiguousarray(audio, np.float64)
        rough, times = pyworld.dio(x, RATE, f0_floor=60.0, f0_ceil=600.0, frame_period=1000 * HOP_S)
        self.f0_hz: Float = pyworld.stonemask(x, rough, times, RATE)
        self._power: Float = pyworld.cheaptrick(x, self.f0_hz, times, RATE)
        self._noise: Float = pyworld.d4c(x, self.f0_hz, times, RATE)

    def sing(self, score: Score, register_hz: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Audio (samples,) at RATE and its exact pitch (frames,) in Hz, 0 unvoiced."""
        near = np.minimum(np.round(score.place).astype(int), len(self.f0_hz) - 1)
        below = np.minimum(score.place.astype(int), len(self.f0_hz) - 2)
        part = (score.place - below)[:, None]
        power = np.exp((1 - part) * np.log(self._power[below]) + part * np.log(self._power[below + 1]))
        f0 = np.where(self.f0_hz[near] > 0, register_hz * 2 ** (score.semitones / 12), 0.0)
        f0 = np.where(f0 > HIGHEST_HZ, f0 / 2, f0)
        sung = self._world.synthesize(f0, power, self._noise[near], RATE, 1000 * HOP_S)
        return np.clip(sung, -1, 1).astype(np.float32), f0.astype(np.float32)


def register(median_hz: float, rng: np.random.Generator) -> float:
    """Where a voice sings: mostly within an octave and a half above where it speaks, seldom anywhere."""
    if rng.random() < 0.15:
        return float(np.exp(rng.uniform(np.log(80), np.log(600))))
    return float(np.clip(median_hz * 2 ** rng.uniform(-0.3, 1.3), 70, 600))


def sing_group(description: Path, folder: Path, rng: np.random.Generator) -> None:
    """Sing the renditions of one sentence, each in its own register, to one score.

    Written are the audio, its exact pitch (`<name>-<k>.f0.npy`), and where in the speech each frame comes from
    (`<name>.npy`), in frames of HOP_S.
    """
    files = sorted(description.parent.glob(f"{description.stem}-*.flac"))
    voices = [Sung(io.decode(f, sample_rate=RATE, max_seconds=60).samples) for f in files]
    frames = min(len(v.f0_hz) for v in voices)
    spoken = [v.f0_hz[:frames] for v in voices]
    voiced = np.mean([f > 0 for f in spoken], 0) > 0.5
    if voiced.sum() < 40:
        return
    score = write_score(voiced, rng)
    for file, voice, f0 in zip(files, voices, spoken, strict=True):
        audio, truth = voice.sing(score, register(float(np.median(f0[f0 > 0])) if (f0 > 0).any() else 150, rng))
        io.encode(folder / file.name, audio, RATE)
        np.save(folder / f"{file.stem}.f0.npy", truth)
    np.save(folder / f"{description.stem}.npy", score.place.astype(np.float32))
    (folder / description.name).write_text(description.read_text())


def sing_recording(name: str, file: Path, folder: Path, rng: np.random.Generator) -> None:
    """Sing a recording of real speech; written is what `sing_group` writes."""
    voice = Sung(io.decode(file, sample_rate=RATE, max_seconds=600).samples)
    voiced = voice.f0_hz > 0
    if voiced.sum() < 40:
        return
    score = write_score(voiced, rng)
    audio, truth = voice.sing(score, register(float(np.median(voice.f0_hz[voiced])), rng))
    np.save(folder / f"{name}.npy", score.place.astype(np.float32))
    np.save(folder / f"{name}.f0.npy", truth)
    io.encode(folder / f"{name}.flac", audio, RATE)


def main() -> None:
    """Sing what has not been sung."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--renditions", type=Path, required=True)
    parser.add_argument("--sung", type=Path, required=True)
    args = parser.parse_args()
    args.sung.mkdir(parents=True, exist_ok=True)
    for number, description in enumerate(sorted(args.renditions.glob("*.json"))):
        if not (args.sung / description.name).exists():
            sing_group(description, args.sung, np.random.default_rng((7, number)))
    for number, (name, file) in enumerate(training_recordings(args.audio)):
        if not (args.sung / f"{name}.flac").exists():
            sing_recording(name, file, args.sung, np.random.default_rng((8, number)))


if __name__ == "__main__":
    main()
