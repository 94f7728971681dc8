"""From recordings and synthetic singing to the live tracker's network, in one command that may be said again.

    python -m training.pitch --audio DIR --sung DIR --models DIR --work DIR

`--sung` is what `training.native.singing` wrote. An hour or two on two CPU cores. Needs
`pip install -e .[training]` and Debian's `fluidsynth` and `fluid-soundfont-gm`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from pipeline.pitch.network import FILE
from training.pitch.accompaniment import play

PIECES, MINUTES, STEPS = 40, 90, 3000


def main() -> None:
    """Run every stage that is not done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for folder in ("audio", "sung", "models", "work"):
        parser.add_argument(f"--{folder}", type=Path, required=True)
    args = parser.parse_args()
    music, scenes = args.work / "music", args.work / "scenes"
    play(PIECES, music, seed=1)
    folders = ("--audio", args.audio, "--sung", args.sung, "--music", music, "--models", args.models)
    _run("material", *folders, "--out", scenes, "--minutes", MINUTES)
    checkpoint = args.work / "tracker.pt"
    _run("train", "--material", scenes, "--checkpoint", checkpoint, "--steps", STEPS, "--export", FILE)


def _run(stage: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", f"training.pitch.{stage}", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
