"""A page to look at: each pair's source, conversions and target as spectrograms with the pitch drawn over them.

    python -m bench.spectrograms --out FILE.html

A handful of the pairs of `bench.voice`, through the live block-by-block path and measured as there, in one file
that loads nothing. It holds the recordings as sound, so mind their licences when you pass it on.

Needs `pip install -e .[bench]` and recordings in AUTOVOICE_TEST_AUDIO or ../shared/audio.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from auto_voice.settings import load_settings
from bench.judging import Judge
from bench.spectrograms.page import Float, Row, Section, build_page
from bench.voice import RATE, Pair, Setting, recordings
from pipeline import weights
from pipeline.pitch import offline

PAIRS = (
    *("19-3005", "26-533", "1089-3080", "908-1688"),
    *("vocadito_10-533", "vocadito_14-3005", "francium-533", "lithium-3005"),
)
SYSTEMS = ("classic", "native")
WORDS = (
    "Each picture shows frequency upwards, an octave everywhere as high, and in colour the 60 dB below the "
    "loudest. Source and conversions share their time to the sample; the target says something else. Click in "
    "a picture to hear it from there. Similarity is to recordings of the target that the conversion never saw "
    "(Resemblyzer), WER is against Whisper's transcript of the source, pitch error is the median against the "
    "intended transposition (SwiftF0)."
)
CREDITS = (
    "Recordings: LibriSpeech and LibriTTS (CC BY 4.0), vocadito (CC BY 4.0), sms-tools of MTG (CC BY 4.0), "
    "stems of “everythingisfree” (CC0)."
)


def main() -> None:
    """Convert, measure, write the page."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--out", type=Path, required=True, metavar="FILE", help="the page to write")
    arguments.add_argument("--pairs", nargs="+", default=list(PAIRS), metavar="SOURCE-TARGET")
    args = arguments.parse_args()
    models = load_settings().storage.models_dir
    setting = Setting(recordings(), models)
    found = {pair.name: pair for pair in setting.pairs()}
    if unknown := set(args.pairs) - set(found):
        arguments.error(f"no such pairs: {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    judge, swift = Judge(models), weights.fetch("swiftf0", models)
    sections = []
    for name in args.pairs:
        sections.append(_section(found[name], setting, judge, swift))
        print(name, flush=True)
    args.out.write_text(build_page("What conversion does to a voice", WORDS, sections, CREDITS, RATE))


def _section(pair: Pair, setting: Setting, judge: Judge, swift: Path) -> Section:
    def row(name: str, audio: Float, figures: dict[str, str]) -> Row:
        return Row(name, audio, offline.track(audio, RATE, swift), figures)

    unseen = setting.unseen[pair.target]
    rows = []
    for system in SYSTEMS:
        converted = setting.convert(pair, system)
        measured = judge.measure(pair.source, converted, unseen, pair.semitones)
        figures = {
            "similarity": f"{measured['similarity']:.2f}",
            "WER": _wer(measured["wer"]),
            "pitch error": f"{measured['pitch_median_abs_cents']:.1f} cents",
        }
        rows.append(row(system, converted, figures))
    own = {"similarity": f"{measured['similarity_of_source']:.2f}"}
    source, _, target = pair.name.rpartition("-")
    return Section(
        f"{source} as {target}",
        f"{'Sung' if pair.sung else 'Spoken'}, moved by {pair.semitones:+d} semitones.".replace("-", "−"),
        [row("source", pair.source, own), *rows, row("target’s own voice", unseen[: len(pair.source)], {})],
    )


def _wer(value: float) -> str:
    return "not counted (no trusted transcript)" if np.isnan(value) else f"{value:.2f}"


if __name__ == "__main__":
    main()
