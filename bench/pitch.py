"""The pitch trackers side by side, on synthetic singing of known pitch and on real singing.

Real recordings come from AUTOVOICE_TEST_AUDIO or ../shared/audio. There the offline tracker, hearing the singer
alone, is the reference for what is heard alone, in a room, and over music as loud as stated; its own rows say
how far it agrees with itself. Frames beside which the reference begins or ends are left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from auto_voice.settings import load_settings
from bench.report import Report, parser
from pipeline import io, weights
from pipeline.errors import WeightsUnavailable
from pipeline.pitch import fcpe, live, offline
from pipeline.pitch.fcpe import Fcpe
from pipeline.pitch.rmvpe import Rmvpe
from pipeline.synthetic import glide, rest, sing, vibrato

RATE = 48_000
SNRS_DB = (-5.0, 0.0, 10.0, 20.0, 40.0)
BLEED_DB = (10.0, 0.0, -5.0)  # the singer against the music
VOICES_HZ = (82.0, 110.0, 165.0, 220.0, 330.0, 494.0, 740.0)
Array = NDArray[np.floating]
Tracker = Callable[[NDArray[np.float32]], tuple[Array, Array]]  # audio at 48 kHz -> (seconds, Hz)


@dataclass(frozen=True)
class Score:
    """How one tracker did; NaN where there is nothing to judge by."""

    cents: float  # median distance
    gross: float  # share of frames that are more than 50 cents off
    octave: float  # share of frames that are an octave off, to 100 cents
    recall: float  # share of the voiced frames that are found
    false_alarms: float  # share of the others that are called voiced


def compare(found: Array, truth: Array) -> Score:
    """Score a track against the truth at the same instants, in Hz, 0 unvoiced, NaN unknown."""
    both = (found > 0) & (truth > 0)
    if not both.any():
        return Score(float("nan"), float("nan"), float("nan"), 0.0, float(np.mean(found[truth == 0] > 0)))
    cents = np.abs(1200 * np.log2(found[both] / truth[both]))
    sung, silent = truth > 0, truth == 0
    return Score(
        float(np.median(cents)),
        float(np.mean(cents > 50)),
        float(np.mean(np.abs(cents - 1200) < 100)),
        float(np.mean(found[sung] > 0)),
        float(np.mean(found[silent] > 0)) if silent.any() else float("nan"),
    )


def reference_at(times: Array, instants: Array, hz: Array) -> Array:
    """A reference track, `hz` at `instants`, at other times: NaN beside where it begins or ends."""
    right = np.clip(np.searchsorted(instants, times), 1, len(instants) - 1)
    left = right - 1
    part = np.clip((times - instants[left]) / (instants[right] - instants[left]), 0, 1)
    voiced = (hz[left] > 0).astype(int) + (hz[right] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.exp((1 - part) * np.log(hz[left]) + part * np.log(hz[right]))
    return np.where(voiced == 2, between, np.where(voiced == 0, 0.0, np.nan))


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

    return {"live": run_live, "swiftf0": run_offline, **optional_trackers(models)}


def optional_trackers(models: Path) -> dict[str, Tracker]:
    """Those of RVC whose weights are there; tells how to get the others."""
    found: dict[str, Tracker] = {}
    for name, kind in (("fcpe", Fcpe), ("rmvpe", Rmvpe)):
        try:
            tracker = kind.load(weights.find(name, models))
        except WeightsUnavailable as problem:
            print(f"(no {name}: {problem.suggestions[0]})")
            continue

        def run(audio: NDArray[np.float32], tracker: Fcpe | Rmvpe = tracker) -> tuple[Array, Array]:
            heard = np.ascontiguousarray(soxr.resample(audio, RATE, fcpe.SAMPLE_RATE), np.float32)
            f0 = tracker.track(torch.from_numpy(heard).unsqueeze(0))[0].numpy()
            return fcpe.HOP * np.arange(len(f0)) / fcpe.SAMPLE_RATE, f0

        found[name] = run
    return found


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
    for name, run in every.items():
        report.add(f"{name}_late_by_ms", late_by_ms(run), "ms")
    report.add("live_declared_lookahead_ms", 1000 * live.LOOKAHEAD / RATE, "ms")
    report.finish(args.json)


def late_by_ms(run: Tracker) -> float:
    """By how much a tracker's answers are later than the instants that it gives for them, on vibrato."""
    line = vibrato(220.0, 4.0, RATE, depth_cents=100)
    times, found = run(sing(line, RATE, np.random.default_rng(7), snr_db=40))
    inside = (times > 0.3) & (times < 3.7) & (found > 0)
    shifts = np.arange(-20.0, 20.5, 0.5)
    off = [
        np.median(np.abs(np.log(found[inside] / line[((times[inside] - s / 1000) * RATE).astype(int)])))
        for s in shifts
    ]
    return float(shifts[int(np.argmin(off))])


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
    if not files:
        print(f"(no real singing: nothing in {folder / 'singing'})")
        return
    voices = [io.decode(file, sample_rate=RATE, max_seconds=600).samples for file in files]
    references = [every["swiftf0"](voice) for voice in voices]
    for material, sounds in _heard(voices, folder / "stems" / "lithium" / "accompaniment.flac").items():
        for name, run in every.items():
            if name == "swiftf0" and material == "sung alone":
                continue  # it is the reference
            scores = []
            for sound, (instants, reference) in zip(sounds, references, strict=True):
                times, found = run((sound / np.abs(sound).max() * 0.5).astype(np.float32))
                scores.append(compare(found, reference_at(times, instants, reference)))
            _show(report, name, material, scores)


def _heard(voices: list[NDArray[np.float32]], band: Path) -> dict[str, list[NDArray[np.float32]]]:
    """What the trackers hear of some singers."""
    rng = np.random.default_rng(7)
    heard = {"sung alone": voices, "sung in a room": [_room(voice, rng) for voice in voices]}
    if not band.exists():
        print(f"(no music: {band} is not there)")
        return heard
    music = io.decode(band, sample_rate=RATE, max_seconds=600).samples
    music = music / np.float32(np.sqrt(_power(music)))
    for snr in BLEED_DB:
        level = [np.float32(np.sqrt(_power(voice)) * 10 ** (-snr / 20)) for voice in voices]
        heard[f"sung over music {snr:g} dB"] = [
            voice + loud * np.resize(music, len(voice)) for voice, loud in zip(voices, level, strict=True)
        ]
    return heard


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
    report.add(f"{key}_recall", mean["recall"], "fraction", n=len(scores))
    report.add(f"{key}_false_alarms", mean["false_alarms"], "fraction", n=len(scores))


if __name__ == "__main__":
    main()
