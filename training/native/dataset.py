"""Pairs to learn from: somebody says something, somebody else says the same and is known by more."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.converters.native.frames import loudness, shape_of
from pipeline.timbre import BANDS
from training.native.frames import (
    Disguise,
    Recording,
    load,
    random_disguise,
    relative_level,
    running_average,
)

Float = NDArray[np.float32]

WINDOW = 200  # frames of 10 ms to convert
WARM = 60  # of them, the first ones only warm the network up
LATE = 2  # hops from a sound to the hop in which it is measured
CHUNKS, CHUNK = 4, 110  # of the target that are known
DEV_VOICES = ("af_heart", "am_michael", "bf_emma", "bm_george", "jf_alpha", "pm_alex", "zf_xiaoyi")


@dataclass
class Side:
    """Frames of one voice, (frames, …)."""

    shape: Float
    level: Float
    f0_hz: Float
    average: Float


@dataclass
class Batch:
    """What one step of training takes; (batch, frames, …)."""

    source: dict[str, Tensor]
    target_shape: Tensor
    target_f0_hz: Tensor
    weight: Tensor  # (batch, frames, BANDS)
    known: dict[str, Tensor]
    known_weight: Tensor


def _stack(sides: list[Side]) -> dict[str, Tensor]:
    return {f.name: torch.from_numpy(np.stack([getattr(s, f.name) for s in sides])) for f in fields(Side)}


@dataclass
class Sung:
    """Renditions of one sentence sung to one score, and the same spoken."""

    sung: list[Recording]
    spoken: list[Recording]
    place: Float  # (hops,) the hop of the speech that each hop of the singing comes from


class Material:
    """All recordings, by utterance (aligned renditions) and by voice."""

    def __init__(self, folder: Path, renditions: list[Path], dev: bool = False) -> None:
        self.aligned: list[list[Recording]] = []
        self.by_voice: dict[str, list[Recording]] = defaultdict(list)
        self.sung: list[Sung] = []
        spoken: dict[str, list[Recording]] = {}
        for file in [] if dev else sorted(folder.glob("real_*.npz")):
            recording = load(file, _speaker(file.stem))
            self.by_voice[recording.voice].append(recording)
            spoken[file.stem] = [recording]
        self.real = [r for of_voice in self.by_voice.values() for r in of_voice]
        for description in (d for r in renditions for d in sorted(r.glob("*.json"))):
            group = self._group(description, folder, dev)
            if not group:
                continue
            if description.with_suffix(".npy").exists():
                place = np.load(description.with_suffix(".npy"))
                self.sung.append(Sung(group, spoken.get(description.stem, []), place))
            elif len(group) > 1 or dev:
                self.aligned.append(group)
                spoken[description.stem] = group
            for recording in group:
                self.by_voice[recording.voice].append(recording)
        for file in [] if dev else sorted(folder.glob("*_real_*.npz")):
            name = file.stem.partition("_")[2]
            place = next(p for r in renditions if (p := r / f"{name}.npy").exists())
            recording = load(file, _speaker(name))
            self.sung.append(Sung([recording], spoken[name], np.load(place)))
        voiced = [
            shape_of(r.power)[r.voiced].mean(0) for rs in self.by_voice.values() for r in rs if r.voiced.any()
        ]
        self.prior = np.asarray(np.mean(voiced, 0), np.float32)

    @staticmethod
    def _group(description: Path, folder: Path, dev: bool) -> list[Recording]:
        """The renditions of one sentence."""
        said, made, group = json.loads(description.read_text()), description.parent.name, []
        for k, (a, b, mix) in enumerate(said.get("timbres", [])):
            file = folder / f"{made}_{description.stem}-{k}.npz"
            if file.exists() and bool(({a, b} if mix else {a}) & set(DEV_VOICES)) == dev:
                pure = not mix or a == b
                group.append(load(file, f"kokoro-{a}" if pure else f"mix-{description.stem}-{k}"))
        return [r for r in group if len(r) == len(group[0])]

    def describe(self) -> str:
        """In a line."""
        hours = sum(len(r) for rs in self.by_voice.values() for r in rs) / 200 / 3600
        return (
            f"{hours:.2f} h, {len(self.by_voice)} voices, {len(self.aligned)} aligned utterances, "
            f"{len(self.sung)} sung, {len(self.real)} real"
        )


def _speaker(name: str) -> str:
    """Of a real recording, by the name of its features."""
    return name.removeprefix("real_").split("_")[0]


class Sampler:
    """Draws batches."""

    def __init__(self, material: Material, seed: int, real: float = 0.45, singing: float = 0.4) -> None:
        self.m = material
        self.singing = singing
        self.rng = np.random.default_rng(seed)
        self.real = real if material.real else 0.0

    def batch(self, size: int) -> Batch:
        """Draw one."""
        items = [self._item() for _ in range(size)]
        return Batch(
            _stack([i[0] for i in items]),
            torch.from_numpy(np.stack([i[1] for i in items])),
            torch.from_numpy(np.stack([i[2] for i in items])),
            torch.from_numpy(np.stack([i[3] for i in items])),
            _stack([i[4] for i in items]),
            torch.from_numpy(np.stack([i[5] for i in items])),
        )

    def _item(self) -> tuple[Side, Float, Float, Float, Side, Float]:
        rng = self.rng
        source, target, place, disguise = self._pair()
        other = random_disguise(rng, warp=0.15, equaliser=0.6, noise=0.0, blur=0.0)
        if rng.random() < 0.4:
            other = Disguise()
        rate = rng.uniform(0.35, 0.9) if rng.random() < 0.25 else rng.uniform(0.9, 1.15)
        # longer than the recording: it is said again
        span = 2.0 * rate * WINDOW
        start = rng.uniform(0, max(len(source) - span, 1))
        heard = np.minimum((start + 2.0 * rate * np.arange(WINDOW)).astype(int), len(source) - 1)
        index = heard
        if place is not None:
            spoken = np.interp(heard - LATE, np.arange(len(place)), place) + LATE
            index = np.minimum(np.round(spoken).astype(int), len(target) - 1)
        first, last = int(index[0]), int(index[-1])
        side = self._side(source, disguise, heard)
        changed = other(target.steady[index])
        shape = shape_of(changed)
        weight = self._weight(target, index)
        known, known_weight = self._known(target, other, first, last)
        return side, shape, target.f0_hz[index], weight, known, known_weight

    def _pair(self) -> tuple[Recording, Recording, Float | None, Disguise]:
        """Who is heard, who is to be found, where in the latter each hop of the former is said, a disguise."""
        rng, m = self.rng, self.m
        strong = random_disguise(rng, warp=0.26, equaliser=1.2, noise=0.4, blur=0.25)
        weak = random_disguise(rng, warp=0.12, equaliser=0.8, noise=0.4, blur=0.25)
        if m.sung and rng.random() < self.singing:
            song = m.sung[rng.integers(len(m.sung))]
            source = song.sung[rng.integers(len(song.sung))]
            speech = bool(song.spoken) and rng.random() < 0.6
            targets = song.spoken if speech else song.sung
            target = targets[rng.integers(len(targets))]
            same = source.voice == target.voice
            return source, target, song.place if speech else None, strong if same else weak
        if rng.random() < self.real:
            source = m.real[rng.integers(len(m.real))]
            return source, source, None, strong
        group = m.aligned[rng.integers(len(m.aligned))]
        a, b = rng.permutation(len(group))[:2] if len(group) > 1 else (0, 0)
        return group[a], group[b], None, weak

    def _side(self, r: Recording, disguise: Disguise, index: NDArray[np.int64]) -> Side:
        past = slice(max(int(index[0]) - 400, 0), int(index[-1]) + 1)
        power = disguise(r.power[past], r.voiced[past], r.peak)
        place = index - past.start
        shape = shape_of(power)
        mean = shape_of(disguise(r.mean[None], np.ones(1, np.bool_), r.peak))[0]
        seconds = 0.0 if self.rng.random() < 0.3 else float(self.rng.uniform(0, 20))
        average = running_average(shape, r.voiced[past], self.m.prior, mean, seconds)
        return Side(shape[place], relative_level(power)[place], r.f0_hz[index], average[place])

    def _weight(self, r: Recording, index: NDArray[np.int64]) -> Float:
        loud = np.maximum(loudness(relative_level(r.power[index], r.peak)), 0.03)
        weight = np.zeros((WINDOW, BANDS), np.float32)
        weight[:, : r.bands] = loud[:, None]
        weight[:, 40:] *= 0.4
        weight[:WARM] = 0
        return weight

    def _known(self, target: Recording, other: Disguise, first: int, last: int) -> tuple[Side, Float]:
        """Chunks of the target's voice, none of what is to be found."""
        sides, weights = [], []
        same = self.m.by_voice[target.voice]
        for _ in range(CHUNKS):
            r = same[self.rng.integers(len(same))]
            index = np.arange(CHUNK) * 2
            weight = np.ones(CHUNK, np.float32)
            start = int(self.rng.integers(0, max(len(r) - 2 * CHUNK, 1)))
            index = np.minimum(index + start, len(r) - 1)
            if r is target:
                weight[(index >= first - 4) & (index <= last + 4)] = 0
            power = other(r.steady[index])
            shape = shape_of(power)
            mean = shape_of(other(r.mean[None]))[0]
            level = relative_level(power, r.peak)
            weight *= loudness(level)
            sides.append(Side(shape, level, r.f0_hz[index], np.repeat(mean[None], CHUNK, 0)))
            weights.append(weight)
        joined = Side(*(np.concatenate([getattr(s, f.name) for s in sides]) for f in fields(Side)))
        weight = np.concatenate(weights)
        if weight.sum() < 5:
            weight[:] = 0.05
        return joined, weight
