"""Training material: frames of recordings, and what can be done to them without touching the audio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.converters.native.frames import PEAK_FALL, PEAK_LEAST, PRIOR_FRAMES, level_of
from pipeline.timbre import BAND_CENTRES_HZ, BANDS

Float = NDArray[np.float32]

PRIOR_HOPS = 2 * PRIOR_FRAMES  # what the average voice counts for in a running mean
FLOOR = -20.7


@dataclass
class Recording:
    """One voice saying something, every 5 ms."""

    name: str
    voice: str
    power: Float  # (hops, BANDS) log power
    voiced: NDArray[np.bool_]  # (hops,)
    f0_hz: Float  # (hops,)
    bands: int  # how many bands hold anything
    peak: float  # the greatest level
    mean: Float  # (BANDS,) mean log power of what is voiced
    steady: Float  # (hops, BANDS) log power, noise averaged

    def __len__(self) -> int:
        return len(self.power)


def load(file: Path, voice: str) -> Recording:
    """Read what the extraction wrote."""
    with np.load(file) as stored:
        power = stored["P"].astype(np.float32)
        f0 = stored["F"].astype(np.float32)
        voiced = (stored["K"] > 0) & (f0 > 0)
        bands = int(np.searchsorted(BAND_CENTRES_HZ, float(stored["rate"]) / 2 * 0.93))
    mean = power[voiced].mean(0) if voiced.any() else power.mean(0)
    peak = float(level_of(power).max())
    return Recording(
        file.stem,
        voice,
        power,
        voiced,
        np.where(voiced, f0, 0).astype(np.float32),
        bands,
        peak,
        mean,
        steady_noise(power, voiced),
    )


def steady_noise(power: Float, voiced: NDArray[np.bool_]) -> Float:
    """Average unvoiced power over 25 ms: single grains of noise are themselves noisy."""
    weight = (~voiced)[:, None].astype(np.float32)
    total, count = np.zeros_like(power), np.zeros_like(weight)
    linear = np.exp(power) * weight
    for shift in range(-2, 3):
        lo, hi = max(0, shift), len(power) + min(0, shift)
        total[lo:hi] += linear[lo - shift : hi - shift]
        count[lo:hi] += weight[lo - shift : hi - shift]
    steady = np.log(np.maximum(total / np.maximum(count, 1), 1e-9))
    return np.where(voiced[:, None], power, steady).astype(np.float32)


def relative_level(power: Float, seed: float = -np.inf) -> Float:
    """Level against a slowly falling running peak, over 10: (hops, BANDS) -> (hops,)."""
    level = level_of(power)
    seed = max(seed, PEAK_LEAST)
    # a maximum that falls: the maximum of what was, lifted by how much has been fallen since
    fall = np.arange(len(level), dtype=np.float32) * np.float32(PEAK_FALL / 2)  # hops are half frames
    peak = np.maximum(np.maximum.accumulate(level + fall), seed) - fall
    return np.asarray((level - peak) / 10.0, np.float32)


def running_average(
    shape: Float, voiced: NDArray[np.bool_], prior: Float, known: Float, seconds: float
) -> Float:
    """Mean voiced shape so far, (hops, BANDS), from `prior` and `seconds` of hearing `known`."""
    count = np.cumsum(voiced)[:, None] + np.float32(PRIOR_HOPS + seconds * 200)
    total = np.cumsum(np.where(voiced[:, None], shape, 0), 0) + PRIOR_HOPS * prior + seconds * 200 * known
    return np.asarray(total / count, np.float32)


def _warps(factors: Float) -> Float:
    """Matrices (factors, BANDS, BANDS) that move a spectrum up in frequency."""
    index = np.arange(BANDS)
    made = np.zeros((len(factors), BANDS, BANDS), np.float32)
    for m, factor in enumerate(factors):
        place = np.interp(BAND_CENTRES_HZ / factor, BAND_CENTRES_HZ, index)
        below = np.minimum(place.astype(int), BANDS - 2)
        part = (place - below).astype(np.float32)
        made[m, index, below] += 1 - part
        made[m, index, below + 1] += part
    return made


def _blurs(pitches: Float) -> Float:
    """Matrices (pitches, BANDS, BANDS) that blur power as a grain of two periods at that pitch does."""
    made = np.zeros((len(pitches), BANDS, BANDS), np.float32)
    width = np.gradient(BAND_CENTRES_HZ)
    for m, f0 in enumerate(pitches):
        apart = np.abs(BAND_CENTRES_HZ[:, None] - BAND_CENTRES_HZ[None])
        kernel = np.where(apart < 2 * f0, (0.5 + 0.5 * np.cos(np.pi * apart / (2 * f0))) ** 2, 0) * width
        kernel += np.eye(BANDS) * 1e-3
        made[m] = kernel / kernel.sum(1, keepdims=True)
    return made


WARP_FACTORS = np.exp(np.linspace(-0.3, 0.3, 61)).astype(np.float32)
WARPS = _warps(WARP_FACTORS)
BLUR_PITCHES = np.geomspace(150, 1000, 24).astype(np.float32)
BLURS = _blurs(BLUR_PITCHES)


@dataclass(frozen=True)
class Disguise:
    """What is done to a voice: formants moved, equaliser, noise floor, pitch blur."""

    warp: int = 30
    equaliser: Float | None = None
    noise: Float | None = None  # (BANDS,) log power against the recording's peak
    blur: int = -1

    def __call__(self, power: Float, voiced: NDArray[np.bool_] | None = None, peak: float = 0.0) -> Float:
        """(hops, BANDS) -> (hops, BANDS); `peak` is the level that the noise is measured against."""
        if self.blur >= 0 and voiced is not None:
            blurred = np.log(np.maximum(np.exp(power) @ BLURS[self.blur].T, 1e-9))
            power = np.where(voiced[:, None], blurred, power).astype(np.float32)
        if self.warp != 30:
            power = power @ WARPS[self.warp].T
        if self.equaliser is not None:
            power = power + self.equaliser
        if self.noise is not None:
            power = np.logaddexp(power, peak + self.noise)
        return np.asarray(np.maximum(power, FLOOR), np.float32)


def random_disguise(
    rng: np.random.Generator, warp: float, equaliser: float, noise: float, blur: float
) -> Disguise:
    """Draw one: the greatest log warp, the equaliser's depth in nats, and the odds of noise and of blur."""
    bend = rng.uniform(-warp, warp) if warp else 0.0
    curve = np.zeros(BANDS, np.float32)
    x = np.arange(BANDS) / BANDS
    for order in (0.5, 1, 1.5, 2, 3, 4):
        curve += rng.normal(0, equaliser / 1.6) * np.cos(np.pi * (order * x + rng.uniform(0, 2))).astype(
            np.float32
        )
    floor = None
    if rng.random() < noise:
        floor = (rng.uniform(-13, -5) + rng.uniform(-3, 1) * x + rng.normal(0, 0.3, BANDS)).astype(np.float32)
    return Disguise(
        warp=int(np.argmin(np.abs(np.log(WARP_FACTORS) - bend))),
        equaliser=curve,
        noise=floor,
        blur=int(rng.integers(len(BLURS))) if rng.random() < blur else -1,
    )
