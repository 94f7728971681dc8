"""From raw sources to the weights that are shipped, in one command that may be interrupted and said again.

    python -m training.native --audio DIR --models DIR --work DIR

Hours on two CPU cores, nearly all of them in speaking and training. Needs `pip install -e .[training]` and npm.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from training.native.renditions import render
from training.native.sentences import write_sentences
from training.native.sources import load_kokoro

SENTENCES = 1200
FIRST = ("--steps", "6000", "--rate", "1e-3")
SECOND = ("--steps", "14000", "--rate", "8e-4", "--critic", "0.1")
THIRD = ("--steps", "6000", "--rate", "6e-4", "--critic", "0.2", "--dynamics", "0.5")


def main() -> None:
    """Run every stage that is not done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, required=True, help="recordings of speech")
    parser.add_argument("--models", type=Path, required=True, help="where fetched models are kept")
    parser.add_argument("--work", type=Path, required=True, help="renditions, features, checkpoints")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    names = ("sentences.txt", "renditions", "sung", "features")
    sentences, renditions, sung, features = (args.work / name for name in names)
    if not sentences.exists():
        write_sentences(args.audio, args.models, sentences)
    render(sentences.read_text().splitlines(), load_kokoro(args.models), renditions, count=SENTENCES, seed=1)
    _run("singing", "--audio", str(args.audio), "--renditions", str(renditions), "--sung", str(sung))
    material = ("--renditions", str(renditions), str(sung), "--features", str(features))
    _run("extract", "--audio", str(args.audio), *material)
    start: tuple[str, ...] = ()
    for number, stage in enumerate((FIRST, SECOND, THIRD), 1):
        checkpoint = str(args.work / f"stage-{number}.pt")
        _run("train", *material, "--checkpoint", checkpoint, *start, *stage)
        start = ("--start", checkpoint)
    _run("export", "--checkpoint", checkpoint)


def _run(stage: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", f"training.native.{stage}", *arguments], check=True)


if __name__ == "__main__":
    main()
