"""The pitch trackers side by side, on synthetic singing of known pitch and on real singing.

Real recordings come from AUTOVOICE_TEST_AUDIO or ../shared/audio; there the offline tracker, hearing the singer
alone, is the reference, and the trackers hear the singer alone, in a room, and over music as loud as stated.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auto_voice.settings import load_settings
from bench.report import Report, parser
from pipeline import io, weights
from pipeline.pitch import live, offline
from pipeline.synthetic import glide, rest, sing, vibrato

RATE = 48_000
SNRS_DB = (-5.0, 0.0, 10.0, 20.0, 40.0)
BLEED_DB = (10.0, 0.0, -5.0)  # the singer against the music
VOICES_HZ = (82.0, 110.0, 165.0, 220.0, 330.0, 494.0, 740.0)
Array = NDArray[np.floating]
Tracker = Callable[[NDArray[np.float32]], tuple[Array, Array]]  # audio at 48 kHz -> (seconds, Hz)


@dataclass(frozen=True)
class Score:
    """How one tracker did."""

    cents: float
    gross: float
    octave: float
    recall: float
    false_alarms: float


def compare(found: Array, truth: Array) -> Score:
    """Score a track against the truth at the same instants."""
    both = (found > 0) & (truth > 0)
    cents = np.abs(1200 * np.log2(found[both] / truth[both])) if both.any() else np.array([np.nan])
    sung, silent = truth > 0, truth == 0
    return Score(
        float(np.median(cents)),
        float(np.mean(cents > 50)),
        float(np.mean(np.abs(cents - 1200) < 100)),
        float(np.mean(found[sung] > 0)) if sung.any() else float("nan"),
        float(np.mean(found[silent] > 0)) if silent.any() else float("nan"),
    )


def lines(rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Pitches per sample: held notes with vibrato, glides, and rests."""
    made = []
    for hz in VOICES_HZ:
        cents = float(rng.uniform(-50, 50))
        note = vibrato(hz * 2 ** (cents / 1200), 1.0, RATE, depth_cents=float(rng.uniform(10, 80)))
        made.append(
            np.concatenate(
                [rest(0.3, RATE), note, rest(0.3, RATE), glide(hz, hz * 1.4, 0.7, RATE), rest(0.3, RATE)]
            )
        )
    return made


def trackers(models: Path) -> dict[str, Tracker]:
    """All trackers, as functions of audio at 48 kHz."""
    swift = weights.fetch("swiftf0", models)

    def run_live(audio: NDArray[np.float32]) -> tuple[Array, Array]:
        f0, _ = live.track(audio)
        return ((np.arange(len(f0)) + 1) * live.HOP - live.LOOKAHEAD) / RATE, f0

    def run_offline(audio: NDArray[np.float32]) -> tuple[Array, Array]:
        found = offline.track(audio, RATE, swift)
        return found.times_s, found.f0_hz

    return {"live": run_live, "swiftf0": run_offline}


def main() -> None:
    """Print the table."""
    args = parser(__doc__).parse_args()
    report = Report("pitch")
    every = trackers(load_settings().storage.models_dir)
    print("| tracker | material | median cents | > 50 cents | octave errors | recall | false alarms |")
    print("|---|---|---|---|---|---|---|")
    for name, run in every.items():
        spent = seconds = 0.0
        for snr in SNRS_DB:
            rng = np.random.default_rng(7)
            scores = []
            for line in lines(rng):
                audio = sing(line, RATE, rng, vowel=str(rng.choice(["a", "i", "u", "e"])), snr_db=snr)
                began = time.perf_counter()
                times, found = run(audio)
                spent, seconds = spent + time.perf_counter() - began, seconds + len(audio) / RATE
                truth = line[np.clip((times * RATE).astype(int), 0, len(line) - 1)]
                scores.append(compare(found, truth))
            _show(report, name, f"synthetic {snr:g} dB", scores)
        report.add(f"{name}_us_per_10ms", 1e6 * spent / seconds / 100, "us")
    _real(report, every)
    report.add("live_lookahead_ms", 1000 * live.LOOKAHEAD / RATE, "ms", "<= 15")
    report.add("live_hop_ms", 1000 * live.HOP / RATE, "ms", "<= 10")
    report.add("swiftf0_lookahead_ms", 160, "ms")
    report.finish(args.json)


def _power(audio: NDArray[np.float32]) -> float:
    """Mean power of the hops that are not silent."""
    power = (audio[: len(audio) // live.HOP * live.HOP].reshape(-1, live.HOP) ** 2).mean(1)
    return float(power[power > 0.05 * power.max()].mean())


def _room(audio: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The same in a room of 0.6 s reverberation, 6 dB below the direct sound."""
    length = int(0.6 * RATE)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(0.005 * RATE)] = 0
    tail *= 10 ** (-6 / 20) / np.sqrt(np.sum(tail**2))
    size = 1 << int(np.ceil(np.log2(len(audio) + length)))
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(tail, size), size)[: len(audio)]
    return np.asarray(audio + wet, np.float32)


def _real(report: Report, every: dict[str, Tracker]) -> None:
    folder = Path(os.environ.get("AUTOVOICE_TEST_AUDIO", "../shared/audio"))
    files = sorted((folder / "singing").rglob("*.flac"))
    band = folder / "stems" / "lithium" / "accompaniment.flac"
    if not files or not band.exists():
        print(f"(no real singing: {folder} is not there)")
        return
    voices = [io.decode(file, sample_rate=RATE, max_seconds=600).samples for file in files]
    music = io.decode(band, sample_rate=RATE, max_seconds=600).samples
    music = music / np.float32(np.sqrt(_power(music)))
    references = [every["swiftf0"](voice) for voice in voices]
    rng = np.random.default_rng(7)
    heard = {"sung alone": voices, "sung in a room": [_room(voice, rng) for voice in voices]}
    for snr in BLEED_DB:
        level = [np.float32(np.sqrt(_power(voice)) * 10 ** (-snr / 20)) for voice in voices]
        heard[f"sung over music {snr:g} dB"] = [
            voice + loud * np.resize(music, len(voice)) for voice, loud in zip(voices, level, strict=True)
        ]
    for name, run in every.items():
        for material, sounds in heard.items():
            scores = []
            for sound, (instants, reference) in zip(sounds, references, strict=True):
                times, found = run((sound / np.abs(sound).max() * 0.5).astype(np.float32))
                near = np.clip(np.round(times / offline.HOP_S).astype(int), 0, len(reference) - 1)
                moving = np.exp(np.interp(times, instants, np.log(np.maximum(reference, 1.0))))
                scores.append(compare(found, np.where(reference[near] > 0, moving, 0.0)))
            _show(report, name, material, scores)


def _show(report: Report, tracker: str, material: str, scores: list[Score]) -> None:
    mean = {k: float(np.nanmean([getattr(s, k) for s in scores])) for k in Score.__dataclass_fields__}
    print(
        f"| {tracker} | {material} | {mean['cents']:.1f} | {mean['gross']:.1%} | {mean['octave']:.1%} | "
        f"{mean['recall']:.1%} | {mean['false_alarms']:.1%} |"
    )
    key = f"{tracker}_{material.partition(',')[0].replace(' ', '_')}"
    report.add(f"{key}_median_cents", mean["cents"], "cents", n=len(scores))
    report.add(f"{key}_gross_errors", mean["gross"], "fraction", n=len(scores))
    goal = "<= 0.005" if tracker == "live" and material.startswith("sung") else ""
    report.add(f"{key}_octave_errors", mean["octave"], "fraction", goal, len(scores))


if __name__ == "__main__":
    main()
