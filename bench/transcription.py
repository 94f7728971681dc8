"""What Whisper base hears somebody say, and whether it trusts that itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import weights

Float = NDArray[np.float32]

FILES = ("whisper-model", "whisper-config", "whisper-tokenizer", "whisper-vocabulary")
# Below this mean log probability of a token, or above this compression ratio of a text, Whisper has failed:
# Radford et al., "Robust speech recognition via large-scale weak supervision" (2022), section 4.5
LEAST_LOGPROB = -1.0
MOST_COMPRESSION = 2.4
LEAST_WORDS = 3


@dataclass(frozen=True)
class Transcript:
    """What was heard."""

    text: str  # as Whisper writes it
    logprob: float  # mean over segments of the mean log probability of a token; -inf without segments
    compression: float  # the largest ratio of any segment; of repetitions it is large

    @property
    def words(self) -> str:
        """The text in lower case, without punctuation."""
        kept = "".join(c if c.isalnum() or c == "'" else " " for c in self.text.lower())
        return " ".join(kept.split())

    @property
    def trusted(self) -> bool:
        """Whether the text is a transcript, by Whisper's own thresholds, rather than a hallucination."""
        return (
            self.logprob >= LEAST_LOGPROB
            and self.compression <= MOST_COMPRESSION
            and len(self.words.split()) >= LEAST_WORDS
        )


def load_transcriber(models: Path) -> Callable[[Float | Path], Transcript]:
    """A function that transcribes English: (samples,) at 16 kHz, or a file of any kind.

    Greedy, in one attempt, so that a text is the same each time.

    Raises:
        ImportError: faster-whisper is not installed (`pip install -e .[bench]`).
        WeightsUnavailable, WeightsCorrupt: as `pipeline.weights.fetch`.
    """
    from faster_whisper import WhisperModel

    files = [weights.fetch(name, models) for name in FILES]
    model = WhisperModel(str(files[0].parent), device="cpu", compute_type="int8", cpu_threads=1)

    def transcribe(sound: Float | Path) -> Transcript:
        found, _ = model.transcribe(
            str(sound) if isinstance(sound, Path) else sound,
            language="en",
            beam_size=1,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        segments = list(found)
        return Transcript(
            " ".join(segment.text for segment in segments).strip(),
            float(np.mean([segment.avg_logprob for segment in segments])) if segments else float("-inf"),
            max((segment.compression_ratio for segment in segments), default=0.0),
        )

    return transcribe
