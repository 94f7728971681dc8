"""What the synthetic voices say: transcripts of the training recordings, a sentence a line."""

from __future__ import annotations

import random
import re
from pathlib import Path

from bench.transcription import load_transcriber
from training.native.voices import training_recordings

WORDS = range(4, 17)


def write_sentences(audio: Path, models_dir: Path, target: Path) -> None:
    """Transcribe the recordings with Whisper base and keep sentences of a good length."""
    transcribe = load_transcriber(models_dir)
    files = [file for _, file in training_recordings(audio)]
    random.Random(1).shuffle(files)
    lines = []
    for file in files:
        text = transcribe(file).text
        lines += [s for s in re.split(r"(?<=[.?!;])\s+", text) if len(s.split()) in WORDS]
    target.write_text("\n".join(lines) + "\n")
