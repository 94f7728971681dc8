"""Figures of a conversion in the words of the API and the runbook.

`overall_quality_score` = ½ · pitch + ½ · likeness, where pitch is 1 at 0 cents RMSE and 0 at 100 cents or more,
and likeness is 0 at a cosine of 0.5 (strangers) and 1 at 0.9 (the same person, recorded twice). It is null when
either part is: half a score would look like a whole one.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auto_voice.settings import load_settings
from pipeline import io, quality, weights
from pipeline.pitch import offline
from pipeline.speaker import SAMPLE_RATE, SpeakerEncoder

Float = NDArray[np.float32]
Given = Float | Path | str

WORST_CENTS = 100.0
STRANGERS, SAME_PERSON = 0.5, 0.9
LONGEST_S = 3600.0


class QualityMetricsAggregator:
    """Measures conversions.

    Args:
        models_dir: where the weights of pitch tracker and speaker encoder are; without, the settings' folder.
    """

    def __init__(self, models_dir: Path | None = None) -> None:
        self._models_dir = models_dir or load_settings().storage.models_dir

    def compute_all_metrics(
        self,
        original_audio: Given | None = None,
        converted_audio: Given | None = None,
        *,
        reference_f0: Given | None = None,
        converted_f0: Given | None = None,
        target_embedding: Given | None = None,
        converted_embedding: Given | None = None,
        semitones: float = 0.0,
        sample_rate: int = SAMPLE_RATE,
    ) -> dict[str, Any]:
        """All figures that the given things allow; the others are null, and `unmeasured` says why.

        Args:
            original_audio, converted_audio: files, or (samples,) float32 at `sample_rate`.
            reference_f0, converted_f0: .npy files or arrays in Hz, one hop for both; else measured.
            target_embedding, converted_embedding: .npy files or (256,) arrays; the latter else measured.
            semitones: the intended transposition.
            sample_rate: Hz of audio given as arrays.

        Raises:
            PipelineError: audio that cannot be decoded, or weights that cannot be had.
            OSError: a file that cannot be read.
        """
        original, converted = (_audio(audio, sample_rate) for audio in (original_audio, converted_audio))
        sung, heard = self._pitch(reference_f0, original), self._pitch(converted_f0, converted)
        target = _array(target_embedding)
        own = _array(converted_embedding)
        if own is None and target is not None and converted is not None:
            own = self._embedding(converted)
        source = self._embedding(original) if target is not None and original is not None else None
        return described(sung, heard, target, own, source, semitones)

    def _pitch(self, given: Given | None, audio: Float | None) -> Float | None:
        f0 = _array(given)
        if f0 is None and audio is not None:
            model = weights.fetch("swiftf0", self._models_dir)
            f0 = offline.track(audio, SAMPLE_RATE, model).f0_hz
        return f0

    def _embedding(self, audio: Float) -> Float:
        return SpeakerEncoder(weights.fetch("resemblyzer", self._models_dir)).embed(audio)


def described(
    sung: Float | None,
    heard: Float | None,
    target: Float | None,
    own: Float | None,
    source: Float | None,
    semitones: float,
) -> dict[str, Any]:
    """The figures as the API gives them, from pitch tracks (Hz) and embeddings; None where one is not known."""
    unmeasured: dict[str, str] = {}

    def kept(name: str, value: Any) -> Any:
        if isinstance(value, quality.Unmeasured):
            unmeasured[name] = value.reason
            return None
        return value

    def compared(name: str, one: Float | None, other: Float | None, missing: str) -> float | None:
        if one is None or other is None:
            return kept(name, quality.Unmeasured(missing))  # type: ignore[no-any-return]
        return kept(name, quality.similarity(one, other))  # type: ignore[no-any-return]

    pitch: quality.PitchAccuracy | None = kept(
        "pitch_accuracy",
        quality.Unmeasured("no pitch of both is known")
        if sung is None or heard is None
        else quality.pitch_accuracy(sung, heard, semitones),
    )
    likeness = compared("speaker_similarity", own, target, "no embedding of the target and the result is known")
    before = compared("source_similarity", source, target, "no recording of the source is known")
    statistics = kept(
        "f0_statistics",
        quality.Unmeasured("no pitch of the result is known")
        if heard is None
        else quality.f0_statistics(heard),
    )
    score = None
    if pitch is not None and likeness is not None:
        in_tune = max(0.0, 1 - pitch.rmse_cents / WORST_CENTS)
        alike = min(max((likeness - STRANGERS) / (SAME_PERSON - STRANGERS), 0.0), 1.0)
        score = 0.5 * in_tune + 0.5 * alike
    else:
        unmeasured["overall_quality_score"] = "a part of it could not be measured"
    fields = ("rmse_hz", "rmse_cents", "rmse_log2", "median_abs_cents", "correlation", "common_frames")
    return {
        "pitch_accuracy": asdict(pitch) if pitch is not None else dict.fromkeys(fields),
        "speaker_similarity": {
            "cosine_similarity": likeness,
            "source_similarity": before,
            "embedding_distance": None if likeness is None else float(np.sqrt(max(0.0, 2 - 2 * likeness))),
        },
        "f0_statistics": statistics,
        "overall_quality_score": score,
        "unmeasured": unmeasured,
    }


def _array(given: Given | None) -> Float | None:
    if given is None or isinstance(given, np.ndarray):
        return given
    return np.asarray(np.load(given, allow_pickle=False), np.float32).reshape(-1)


def _audio(given: Given | None, sample_rate: int) -> Float | None:
    if given is None:
        return None
    if isinstance(given, np.ndarray):
        import soxr

        return np.asarray(soxr.resample(given, sample_rate, SAMPLE_RATE), np.float32)
    return io.decode(Path(given), sample_rate=SAMPLE_RATE, max_seconds=LONGEST_S).samples
