"""How good the conversion is, on voices that had no part in making it, through the live block-by-block path.

Speech and singing of unseen people become other unseen people. Measured: similarity to recordings of the target
that the conversion never saw (Resemblyzer; the source's own similarity beside it), words lost (Whisper base
against its own transcript of the source), pitch against the intended transposition (SwiftF0), and the drop in
DNSMOS OVRL (speech only). Pass-through and plain transposition are measured in the same run.

Three of the sung sources hold no English words, so what Whisper writes down of them is a hallucination. WER and
CER count only pairs where it trusts its own transcript of the source, by its published thresholds: a mean log
probability of at least -1, no segment with a compression ratio above 2.4, and at least three words. The `n` of
these figures says how many pairs those are. What Whisper hears in the conversion counts in full, hallucinations
too. `wer_all` is the median over all pairs, trusted or not.

Needs `pip install -e .[bench]` and recordings in AUTOVOICE_TEST_AUDIO or ../shared/audio.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from auto_voice.settings import load_settings
from bench.judging import Judge
from bench.report import Report, parser
from pipeline import io, weights
from pipeline.converters import DEFAULT, available
from pipeline.converters.base import Controls, Converter
from pipeline.converters.stream import convert_recording
from pipeline.pitch import offline
from pipeline.profile import make_voice
from pipeline.speaker import SpeakerEncoder
from pipeline.voice import Voice

RATE = 48_000
ENROL_S = 48.0
SOURCE_S = 12.0
SOURCES = {
    "19": "more_speakers/librispeech/19",
    "26": "more_speakers/librispeech/26",
    "27": "more_speakers/librispeech/27",
    "1089": "more_speakers/libritts/1089",
    "908": "more_speakers/libritts/908",
}
TARGETS = {
    "533": "speech/librispeech/533",
    "1688": "speech/librispeech/1688",
    "2033": "speech/librispeech/2033",
    "3005": "speech/librispeech/3005",
    "3080": "speech/librispeech/3080",
}
SUNG = (
    "singing/vocadito/vocadito_10.flac",
    "singing/vocadito/vocadito_14.flac",
    "singing/sms_tools/singing-female.flac",
    "singing/sms_tools/vignesh.flac",
    "singing/sms_tools/carnatic.flac",
)
STEMS = {"francium": "stems/francium/vocals.flac", "lithium": "stems/lithium/vocals.flac"}  # SOURCE_S of each
SUNG_TARGETS = ("533", "3005")
SYSTEMS = ("passthrough", "transposition", "classic", "native")
BLOCK = 480  # samples of a step
MEDIANS = ("similarity", "similarity_of_source", "wer", "cer", "wer_all")  # named so; the rest are medians, too
GOALS = {  # of the default converter
    "similarity": ">= 0.76",
    "wer": "<= 0.16",
    "pitch_median_abs_cents": "<= 15",
    "gross_pitch_errors": "<= 0.03",
    "dnsmos_ovrl_drop": "<= 0.30",
    "sung_similarity": ">= 0.68",
    "sung_wer": "<= 0.20",
    "algorithmic_delay_ms": "<= 30",
    "cpu_per_stream": "<= 0.25",
}
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """One source to be heard as one target."""

    name: str
    source: Float  # at 48 kHz
    target: str
    semitones: int
    sung: bool


def recordings() -> Path:
    """Where the recordings are; ends the benchmark with the reason when they are not."""
    folder = Path(os.environ.get("AUTOVOICE_TEST_AUDIO", "../shared/audio"))
    if not folder.is_dir():
        sys.exit(f"no recordings: {folder} is not there (set AUTOVOICE_TEST_AUDIO)")
    return folder


@cache
def speech(folder: Path) -> list[Float]:
    """All utterances of one speaker at 48 kHz."""
    return [io.decode(f, sample_rate=RATE, max_seconds=600).samples for f in sorted(folder.glob("*.flac"))]


def first(parts: list[Float], seconds: float) -> tuple[Float, list[Float]]:
    """Whole utterances up to `seconds`, and those left over."""
    taken = 0
    for i, part in enumerate(parts):
        taken += len(part)
        if taken >= seconds * RATE:
            return np.concatenate(parts[: i + 1]), parts[i + 1 :]
    return np.concatenate(parts), []


class Setting:
    """The targets, enrolled, and the pairs."""

    def __init__(self, folder: Path, models: Path) -> None:
        self._swift = weights.fetch("swiftf0", models)
        encoder = SpeakerEncoder(weights.fetch("resemblyzer", models))
        self.voices: dict[str, Voice] = {}
        self.unseen: dict[str, Float] = {}
        for name, place in TARGETS.items():
            enrolment, rest = first(speech(folder / place), ENROL_S)
            self.voices[name] = make_voice(
                enrolment, RATE, encoder=encoder, pitch_model=self._swift, name=name
            ).voice
            self.unseen[name] = np.concatenate(rest)
        self._folder = folder

    def pairs(self) -> Iterator[Pair]:
        """Every source with every target; singing moves by whole octaves, speech by the nearest semitone."""
        for name, place in SOURCES.items():
            source, _ = first(speech(self._folder / place), SOURCE_S)
            source = source[: int(1.3 * SOURCE_S * RATE)]
            median = self._median(source)
            for target in TARGETS:
                apart = 12 * np.log2(self.voices[target].median_f0_hz / median)
                yield Pair(f"{name}-{target}", source, target, round(apart), False)
        for name, source in self._sung():
            median = self._median(source)
            for target in SUNG_TARGETS:
                apart = np.log2(self.voices[target].median_f0_hz / median)
                yield Pair(f"{name}-{target}", source, target, 12 * round(apart), True)

    def convert(self, pair: Pair, system: str) -> Float:
        """Run one system on a pair, as a session with these controls would."""
        controls = Controls(pitch_semitones=float(np.clip(pair.semitones, -24, 24)), auto_pitch=False)
        voice = self.voices[pair.target] if system in ("classic", "native") else None
        return convert_recording(converter_of(system), pair.source, voice, controls)

    def _sung(self) -> Iterator[tuple[str, Float]]:
        for file in SUNG:
            yield Path(file).stem, self._decoded(file)
        for name, file in STEMS.items():
            yield name, self._decoded(file)[: int(SOURCE_S * RATE)]

    def _decoded(self, file: str) -> Float:
        return io.decode(self._folder / file, sample_rate=RATE, max_seconds=600).samples

    def _median(self, audio: Float) -> float:
        f0 = offline.track(audio, RATE, self._swift).f0_hz
        return float(np.median(f0[f0 > 0]))


@dataclass
class Outcome:
    """What one system made of all pairs."""

    spoken: list[dict[str, float]] = field(default_factory=list)  # as `Judge.measure` returns it
    sung: list[dict[str, float]] = field(default_factory=list)
    spent_s: float = 0.0  # of one core
    heard_s: float = 0.0


def converter_of(system: str) -> Converter:
    """The converter that a system runs; plain transposition is `classic` without a voice."""
    return available()["classic" if system == "transposition" else system](BLOCK)


def delay_ms(converter: Converter) -> float:
    """How much later a click comes out than it went in, nothing else being changed."""
    click = np.zeros(RATE // 2, np.float32)
    click[RATE // 4] = 0.5
    heard = convert_recording(converter, click, None, Controls(auto_pitch=False))
    late = int(np.argmax(np.abs(heard))) - RATE // 4
    return 1000 * (converter.delay + late) / RATE


def report_of(outcomes: dict[str, Outcome]) -> Report:
    """The figures of each system; the default converter's have no prefix, and goals.

    A figure is the median over the pairs where it could be measured, and `n` their number; where there are
    none, its value is None.
    """
    report = Report("voice")
    for system, outcome in outcomes.items():
        system_prefix = "" if system == DEFAULT else f"{system}_"
        goals = GOALS if system == DEFAULT else {}
        for kind, measured in (("", outcome.spoken), ("sung_", outcome.sung)):
            for key in measured[0] if measured else ():
                if kind and key == "dnsmos_ovrl_drop":
                    continue  # a speech score
                known = [row[key] for row in measured if not np.isnan(row[key])]
                name = f"{system_prefix}{kind}{key}" + ("_median" if key in MEDIANS else "")
                value = float(np.median(known)) if known else None
                report.add(name, value, "", goals.get(kind + key, ""), len(known))
        figures = {
            "algorithmic_delay_ms": (delay_ms(converter_of(system)), "ms"),
            "cpu_per_stream": (outcome.spent_s / outcome.heard_s, "cores"),
        }
        for key, (value, unit) in figures.items():
            report.add(system_prefix + key, value, unit, goals.get(key, ""))
    return report


def main() -> None:
    """Convert, judge, report."""
    arguments = parser(__doc__)
    arguments.add_argument("--keep", type=Path, help="folder for the converted files and a pairs.tsv")
    arguments.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    args = arguments.parse_args()
    models = load_settings().storage.models_dir
    setting = Setting(recordings(), models)
    judge = Judge(models)
    outcomes = {system: Outcome() for system in args.systems}
    kept = ["source\tconverted\ttarget\tsemitones\tdelay_ms"]
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    for pair in setting.pairs():
        for system, outcome in outcomes.items():
            began = time.process_time()
            converted = setting.convert(pair, system)
            outcome.spent_s += time.process_time() - began
            outcome.heard_s += len(converted) / RATE
            semitones = 0 if system == "passthrough" else pair.semitones
            row = judge.measure(pair.source, converted, setting.unseen[pair.target], semitones)
            (outcome.sung if pair.sung else outcome.spoken).append(row)
            print(
                f"  {pair.name:24s} {system:14s} " + " ".join(f"{k} {v:.3f}" for k, v in row.items()),
                flush=True,
            )
            if args.keep and system == DEFAULT:
                kept.append(_keep(args.keep, pair, converted, setting.unseen[pair.target]))
    if args.keep:
        (args.keep / "pairs.tsv").write_text("\n".join(kept) + "\n")
    report_of(outcomes).finish(args.json)


def _keep(folder: Path, pair: Pair, converted: Float, unseen: Float) -> str:
    files = {"source": pair.source, "converted": converted, "target": unseen}
    names = {kind: folder / f"{pair.name}-{kind}.wav" for kind in files}
    for kind, audio in files.items():
        io.encode(names[kind], soxr.resample(audio, RATE, RATE), RATE)
    return "\t".join([*(str(names[kind]) for kind in files), str(pair.semitones), "0"])


if __name__ == "__main__":
    main()
