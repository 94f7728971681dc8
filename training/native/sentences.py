"""What the synthetic voices say: transcripts of the training recordings, a sentence a line."""

from __future__ import annotations

import random
import re
from pathlib import Path

from pipeline import weights
from training.native.voices import training_recordings

WORDS = range(4, 17)


def write_sentences(audio: Path, models_dir: Path, target: Path) -> None:
    """Transcribe the recordings with Whisper base and keep sentences of a good length."""
    from faster_whisper import WhisperModel

    folder = weights.fetch("whisper-model", models_dir).parent
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)
    files = [file for _, file in training_recordings(audio)]
    random.Random(1).shuffle(files)
    lines = []
    for file in files:
        segments, _ = model.transcribe(
            str(file),
            language="en",
            beam_size=1,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        text = " ".join(segment.text for segment in segments).strip()
        lines += [s for s in re.split(r"(?<=[.?!;])\s+", text) if len(s.split()) in WORDS]
    target.write_text("\n".join(lines) + "\n")
