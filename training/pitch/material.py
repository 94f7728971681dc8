"""What the live tracker learns from: voices of known pitch, over music, in rooms, in noise.

python -m training.pitch.material --audio DIR --sung DIR --music DIR --models DIR --out DIR --minutes N

Singing is synthetic (`training.native.singing`), so its pitch is exact; speech is real, and counts only where
two unlike trackers agree. Written are views of the sound (`pipeline.pitch.views`) and the pitch of each hop.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline import io, weights
from pipeline.pitch import offline
from pipeline.pitch.live import F0_MAX_HZ, F0_MIN_HZ, HOP, LOOKAHEAD, see
from pipeline.pitch.network import make_network
from pipeline.synthetic import VOWELS, glide, rest, sing, vibrato
from training.native.renditions import RATE as SUNG_RATE
from training.native.voices import training_recordings
from training.pitch.net import PitchNet

RATE = 48_000
UNKNOWN = -1.0  # the pitch of hops that are not learnt from
EARLY = LOOKAHEAD // HOP - 1  # hops that the pitch of a hop lies before it, from the hop's own number
AGREE_CENTS = 40.0
SHARES = (0.2, 0.55, 0.25)  # of plain vowels at any pitch, of singing, of speech

Float = NDArray[np.float32]


class Sources:
    """Voices with their pitch every 5 ms, and what may be heard besides.

    Args:
        audio, sung, music, models: folders.
        rng: draws.
    """

    def __init__(self, audio: Path, sung: Path, music: Path, models: Path, rng: np.random.Generator) -> None:
        self._sung = sorted(f for f in sung.glob("*.flac") if f.with_suffix(".f0.npy").exists())
        self._spoken = [file for _, file in training_recordings(audio)]
        self._music = sorted(music.glob("*.flac"))
        self._models = models
        self._rng = rng

    def voice(self) -> tuple[Float, Float]:
        """A voice (samples,) at RATE and its pitch (frames,) every HOP samples."""
        kind = self._rng.choice(len(SHARES), p=SHARES)
        if kind == 0:
            return self._vowel()
        if kind == 1:
            file = self._sung[self._rng.integers(len(self._sung))]
            audio = io.decode(file, sample_rate=SUNG_RATE, max_seconds=600).samples
            return soxr.resample(audio, SUNG_RATE, RATE).astype(np.float32), np.load(
                file.with_suffix(".f0.npy")
            )
        file = self._spoken[self._rng.integers(len(self._spoken))]
        audio = io.decode(file, sample_rate=RATE, max_seconds=600).samples
        start = int(self._rng.integers(0, max(len(audio) - 10 * RATE, 1)))
        audio = audio[start : start + 10 * RATE]
        return audio, self._agreed(audio)

    def music(self, samples: int) -> Float:
        """(samples,) of music, mono."""
        audio = io.decode(self._music[self._rng.integers(len(self._music))], sample_rate=RATE, max_seconds=600)
        return _cut(audio.samples, samples, self._rng)

    def _vowel(self) -> tuple[Float, Float]:
        """Notes anywhere in the range, with glides between some of them and rests between others."""
        rng, parts = self._rng, []
        for _ in range(6):
            low, high = np.exp(rng.uniform(np.log(F0_MIN_HZ), np.log(F0_MAX_HZ), 2))
            if rng.random() < 0.3:
                parts.append(glide(low, high, rng.uniform(0.3, 1.0), RATE))
            else:
                length, depth = rng.uniform(0.1, 1.0), rng.uniform(0, 100)
                parts.append(vibrato(low, length, RATE, rate_hz=rng.uniform(4, 7), depth_cents=depth))
            if rng.random() < 0.6:
                parts.append(rest(rng.uniform(0.02, 0.4), RATE))
        line = np.clip(np.concatenate(parts), 0, F0_MAX_HZ)
        line = line[: len(line) // HOP * HOP]
        audio = sing(line, RATE, rng, vowel=str(rng.choice(list(VOWELS))), breath_db=rng.uniform(-40, -6))
        return audio.astype(np.float32), line[::HOP]

    def _agreed(self, audio: Float) -> Float:
        """Pitch every HOP samples where SwiftF0 and Harvest agree."""
        import pyworld

        low = soxr.resample(audio, RATE, 16_000).astype(np.float64)
        one, _ = pyworld.harvest(low, 16_000, f0_floor=50.0, f0_ceil=900.0, frame_period=5.0)
        one = pyworld.stonemask(low, one, np.arange(len(one)) * 0.005, 16_000)
        found = offline.track(audio, RATE, weights.fetch("swiftf0", self._models))
        times = np.arange(len(one)) * 0.005
        near = np.clip(np.round(times / offline.HOP_S).astype(int), 0, len(found.f0_hz) - 1)
        two = found.f0_hz[near]
        smooth = np.exp(np.interp(times, found.times_s, np.log(np.maximum(found.f0_hz, 1.0))))
        both, neither = (one > 0) & (two > 0), (one == 0) & (two == 0)
        cents = np.abs(1200 * np.log2(np.maximum(one, 1) / np.maximum(smooth, 1)))
        return np.where(neither, 0.0, np.where(both & (cents < AGREE_CENTS), one, UNKNOWN)).astype(np.float32)


def _cut(audio: Float, samples: int, rng: np.random.Generator) -> Float:
    start = int(rng.integers(0, max(len(audio) - samples, 1)))
    return np.resize(audio[start:], samples).astype(np.float32)


def _coloured(samples: int, rng: np.random.Generator) -> Float:
    """Noise whose spectrum slopes by -9 to +1 dB an octave, with hum now and then."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    slope = rng.uniform(-1.5, 0.15)
    spectrum *= np.maximum(np.arange(len(spectrum)) * RATE / samples, 40.0) ** slope
    noise = np.fft.irfft(spectrum, samples)
    noise /= np.sqrt(np.mean(noise**2)) + 1e-12
    if rng.random() < 0.2:
        t = np.arange(samples) / RATE
        hum = sum(np.sin(2 * np.pi * 50 * k * t + k) / k for k in range(1, 6))
        noise = noise + rng.uniform(0.2, 2) * hum
    return np.asarray(noise, np.float32)


def _room(audio: Float, rng: np.random.Generator) -> Float:
    """The same in a room: the direct sound, and a decaying noise of later ones."""
    length = int(RATE * rng.uniform(0.1, 0.8))
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(RATE * rng.uniform(0.001, 0.02))] = 0
    tail *= 10 ** (-rng.uniform(0, 18) / 20) / np.sqrt(np.sum(tail**2) + 1e-12)
    size = 1 << int(np.ceil(np.log2(len(audio) + length)))
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(tail, size), size)[: len(audio)]
    return np.asarray(audio + wet, np.float32)


def _equalised(audio: Float, rng: np.random.Generator) -> Float:
    """Through a microphone: a smooth random curve, and few lows now and then."""
    size = len(audio)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE), 20.0) / 20.0)
    curve = sum(
        rng.normal(0, 4 / k) * np.cos(np.pi * (k * octaves / 10 + rng.uniform(0, 2))) for k in (1, 2, 3, 4)
    )
    if rng.random() < 0.3:
        curve = curve - 12 * np.maximum(np.log2(rng.uniform(80, 300) / 20.0) - octaves, 0)
    return np.asarray(np.fft.irfft(np.fft.rfft(audio) * 10 ** (curve / 20), size), np.float32)


def _power(audio: Float) -> float:
    """Mean power of what is loud in it."""
    hops = audio[: len(audio) // HOP * HOP].reshape(-1, HOP)
    power = (hops**2).mean(1)
    return float(power[power > 0.05 * power.max()].mean()) if power.max() > 0 else 1e-9


def stage(sources: Sources, rng: np.random.Generator) -> tuple[Float, Float]:
    """One scene: audio (samples,) and the pitch (hops,) that the tracker should say at each hop."""
    voice, pitch = sources.voice()
    voice = voice[: len(voice) // HOP * HOP]
    hops = len(voice) // HOP
    truth = np.zeros(hops, np.float32)
    said = pitch[: max(hops - EARLY, 0)]
    truth[EARLY : EARLY + len(said)] = said
    if rng.random() < 0.05:
        voice, truth = np.zeros_like(voice), np.zeros(hops, np.float32)
    loud = max(_power(voice), 1e-6)
    if rng.random() < 0.6:
        voice = _equalised(voice, rng)
    scene = _room(voice, rng) if rng.random() < 0.4 else voice.copy()
    if rng.random() < 0.55:
        music = sources.music(len(voice))
        scene += music * np.float32(
            np.sqrt(loud / max(_power(music), 1e-9)) * 10 ** (-rng.uniform(-7, 25) / 20)
        )
    if rng.random() < 0.5:
        scene += _coloured(len(voice), rng) * np.float32(np.sqrt(loud) * 10 ** (-rng.uniform(-6, 45) / 20))
    scene *= np.float32(10 ** rng.uniform(-2.0, 0.0) / max(float(np.abs(scene).max()), 1e-6))
    return scene.astype(np.float32), truth


def main() -> None:
    """Stage scenes, look at them, write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for folder in ("audio", "sung", "music", "models", "out"):
        parser.add_argument(f"--{folder}", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=150.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    made = sorted(args.out.glob("*.npz"))
    hops = int(args.minutes * 60 * RATE / HOP)
    blind = make_network(PitchNet().exported())  # nothing is asked of it
    held = sum(len(np.load(f)["pitch"]) for f in made)
    while held < hops:
        rng = np.random.default_rng((args.seed, len(made)))
        sources = Sources(args.audio, args.sung, args.music, args.models, rng)
        views, pitches = [], []
        for _ in range(40):
            scene, truth = stage(sources, rng)
            views.append(see(scene, blind).astype(np.float16))
            pitches.append(truth)
        file = args.out / f"{args.seed}-{len(made):04d}.npz"
        with file.with_suffix(".part").open("wb") as out:
            np.savez(out, views=np.concatenate(views), pitch=np.concatenate(pitches))
        file.with_suffix(".part").replace(file)
        made.append(file)
        held += sum(len(p) for p in pitches)
        print(f"{held / 200 / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
