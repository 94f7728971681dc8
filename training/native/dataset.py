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

from pipeline.timbre import BANDS
from training.native.frames import (
    Disguise,
    Recording,
    load,
    random_disguise,
    relative_level,
    running_average,
    shape_of,
)

Float = NDArray[np.float32]

WINDOW = 200  # frames of 10 ms to convert
WARM = 60  # of them, the first ones only warm the network up
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


class Material:
    """All recordings, by utterance (aligned renditions) and by voice."""

    def __init__(self, folder: Path, renditions: Path, dev: bool = False) -> None:
        self.aligned: list[list[Recording]] = []
        self.by_voice: dict[str, list[Recording]] = defaultdict(list)
        for description in sorted(renditions.glob("*.json")):
            timbres = json.loads(description.read_text())["timbres"]
            group = []
            for k, (a, b, mix) in enumerate(timbres):
                file = folder / f"kok_{description.stem}-{k}.npz"
                used = {a, b} if mix else {a}
                if not file.exists() or (bool(used & set(DEV_VOICES)) != dev):
                    continue
                pure = not mix or a == b
                group.append(load(file, f"kokoro-{a}" if pure else f"mix-{description.stem}-{k}"))
            group = [r for r in group if len(r) == len(group[0])]
            if len(group) > 1 or (dev and group):
                self.aligned.append(group)
            for recording in group:
                self.by_voice[recording.voice].append(recording)
        if not dev:
            for file in sorted(folder.glob("real_*.npz")):
                recording = load(file, file.stem.rsplit("_", 1)[0].split("_", 1)[1].split("_")[0])
                self.by_voice[recording.voice].append(recording)
        self.real = [r for v, rs in self.by_voice.items() if not v.startswith(("kokoro", "mix")) for r in rs]
        voiced = [
            shape_of(r.power)[r.voiced].mean(0) for rs in self.by_voice.values() for r in rs if r.voiced.any()
        ]
        self.prior = np.asarray(np.mean(voiced, 0), np.float32)

    def describe(self) -> str:
        """In a line."""
        hours = sum(len(r) for rs in self.by_voice.values() for r in rs) / 200 / 3600
        return (
            f"{hours:.2f} h, {len(self.by_voice)} voices, {len(self.aligned)} aligned utterances, "
            f"{len(self.real)} real"
        )


class Sampler:
    """Draws batches."""

    def __init__(self, material: Material, seed: int, real: float = 0.45) -> None:
        self.m = material
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
        if rng.random() < self.real:
            source = target = self.m.real[rng.integers(len(self.m.real))]
            disguise = random_disguise(rng, warp=0.26, equaliser=1.2, noise=0.4, blur=0.25)
        else:
            group = self.m.aligned[rng.integers(len(self.m.aligned))]
            a, b = rng.permutation(len(group))[:2] if len(group) > 1 else (0, 0)
            source, target = group[a], group[b]
            disguise = random_disguise(rng, warp=0.12, equaliser=0.8, noise=0.4, blur=0.25)
        other = random_disguise(rng, warp=0.15, equaliser=0.6, noise=0.0, blur=0.0)
        if rng.random() < 0.4:
            other = Disguise()
        rate = rng.uniform(0.35, 0.9) if rng.random() < 0.25 else rng.uniform(0.9, 1.15)
        # longer than the recording: it is said again
        span = 2.0 * rate * WINDOW
        start = rng.uniform(0, max(len(target) - span, 1))
        index = np.minimum((start + 2.0 * rate * np.arange(WINDOW)).astype(int), len(target) - 1)
        first, last = int(index[0]), int(index[-1])
        side = self._side(source, disguise, index)
        changed = other(target.steady[index])
        shape = shape_of(changed)
        weight = self._weight(target, index)
        known, known_weight = self._known(target, other, first, last)
        return side, shape, target.f0_hz[index], weight, known, known_weight

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
        loud = np.clip(
            1.0 + relative_level(r.power[index], r.peak) * 10 / 9.0, 0.03, 1.0
        )  # 40 dB below: nothing
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
            weight *= np.clip(1.0 + level * 10 / 9.0, 0, 1)
            sides.append(Side(shape, level, r.f0_hz[index], np.repeat(mean[None], CHUNK, 0)))
            weights.append(weight)
        joined = Side(
            *(np.concatenate([getattr(s, n) for s in sides]) for n in ("shape", "level", "f0_hz", "average"))
        )
        weight = np.concatenate(weights)
        if weight.sum() < 5:
            weight[:] = 0.05
        return joined, weight
