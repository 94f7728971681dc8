"""How good the conversion is, on voices that had no part in making it, through the live block-by-block path.

Speech and singing of unseen people become other unseen people. Measured: similarity to recordings of the target
that the conversion never saw (Resemblyzer; the source's own similarity beside it), words lost (Whisper base
against its own transcript of the source), pitch against the intended transposition (SwiftF0), and the drop in
DNSMOS OVRL (speech only). Pass-through and plain transposition are measured in the same run.

Needs `pip install -e .[bench]` and recordings in AUTOVOICE_TEST_AUDIO or ../shared/audio.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
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
from pipeline.converters.base import Controls
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
SUNG_TARGETS = ("533", "3005")
SYSTEMS = ("passthrough", "transposition", "classic", "native")
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
            for target in TARGETS:
                apart = 12 * np.log2(self.voices[target].median_f0_hz / self._median(source))
                yield Pair(f"{name}-{target}", source, target, round(apart), False)
        for file in SUNG:
            source = io.decode(self._folder / file, sample_rate=RATE, max_seconds=600).samples
            for target in SUNG_TARGETS:
                apart = np.log2(self.voices[target].median_f0_hz / self._median(source))
                yield Pair(f"{Path(file).stem}-{target}", source, target, 12 * round(apart), True)

    def convert(self, pair: Pair, system: str) -> Float:
        """Run one system on a pair, as a session with these controls would."""
        controls = Controls(pitch_semitones=float(np.clip(pair.semitones, -24, 24)), auto_pitch=False)
        voice = self.voices[pair.target] if system in ("classic", "native") else None
        name = "classic" if system == "transposition" else system
        return convert_recording(available()[name](480), pair.source, voice, controls)

    def _median(self, audio: Float) -> float:
        f0 = offline.track(audio, RATE, self._swift).f0_hz
        return float(np.median(f0[f0 > 0]))


def main() -> None:
    """Convert, judge, report."""
    arguments = parser(__doc__)
    arguments.add_argument("--keep", type=Path, help="folder for the converted files and a pairs.tsv")
    arguments.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    args = arguments.parse_args()
    models = load_settings().storage.models_dir
    setting = Setting(recordings(), models)
    judge = Judge(models)
    spent: dict[str, float] = {}
    heard: dict[str, float] = {}
    rows: dict[tuple[str, bool], list[dict[str, float]]] = {}
    if args.keep:
        (args.keep).mkdir(parents=True, exist_ok=True)
        lines = ["source\tconverted\ttarget\tsemitones\tdelay_ms"]
    for pair in setting.pairs():
        for system in args.systems:
            began = time.process_time()
            converted = setting.convert(pair, system)
            spent[system] = spent.get(system, 0.0) + time.process_time() - began
            heard[system] = heard.get(system, 0.0) + len(converted) / RATE
            semitones = 0 if system == "passthrough" else pair.semitones
            row = judge.measure(pair.source, converted, setting.unseen[pair.target], semitones)
            rows.setdefault((system, pair.sung), []).append(row)
            print(
                f"  {pair.name:24s} {system:14s} " + " ".join(f"{k} {v:.3f}" for k, v in row.items()),
                flush=True,
            )
            if args.keep and system == DEFAULT:
                lines.append(_keep(args.keep, pair, converted, setting.unseen[pair.target]))
    if args.keep:
        (args.keep / "pairs.tsv").write_text("\n".join(lines) + "\n")
    report = Report("voice")
    goals = {
        "similarity": ">= 0.76",
        "wer": "<= 0.16",
        "pitch_median_abs_cents": "<= 15",
        "gross_pitch_errors": "<= 0.03",
        "dnsmos_ovrl_drop": "<= 0.30",
        "sung_similarity": ">= 0.68",
        "sung_wer": "<= 0.20",
    }
    for (system, sung), measured in rows.items():
        prefix = ("" if system == DEFAULT else f"{system}_") + ("sung_" if sung else "")
        for key in measured[0]:
            if sung and key == "dnsmos_ovrl_drop":
                continue  # a speech score
            median = key in ("similarity", "similarity_of_source", "wer", "cer")
            goal = goals.get(("sung_" if sung else "") + key, "") if system == DEFAULT else ""
            value = float(np.nanmedian([row[key] for row in measured]))
            report.add(f"{prefix}{key}{'_median' if median else ''}", value, "", goal, len(measured))
    for system, seconds in spent.items():
        prefix = "" if system == DEFAULT else f"{system}_"
        limits = ("<= 30", "<= 0.25") if system == DEFAULT else ("", "")
        delay = available()["classic" if system == "transposition" else system](480).delay
        report.add(f"{prefix}algorithmic_delay_ms", 1000 * delay / RATE, "ms", limits[0])
        report.add(f"{prefix}cpu_per_stream", seconds / heard[system], "cores", limits[1])
    report.finish(args.json)


def _keep(folder: Path, pair: Pair, converted: Float, unseen: Float) -> str:
    files = {"source": pair.source, "converted": converted, "target": unseen}
    names = {kind: folder / f"{pair.name}-{kind}.wav" for kind in files}
    for kind, audio in files.items():
        io.encode(names[kind], soxr.resample(audio, RATE, RATE), RATE)
    return "\t".join([*(str(names[kind]) for kind in files), str(pair.semitones), "0"])


if __name__ == "__main__":
    main()
