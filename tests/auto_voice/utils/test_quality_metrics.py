from pathlib import Path

import numpy as np
import pytest

from auto_voice.utils.quality_metrics import QualityMetricsAggregator
from pipeline import io
from pipeline.converters import available
from pipeline.converters.base import Controls
from pipeline.converters.stream import convert_recording
from pipeline.synthetic import sing, vibrato

RATE = 48_000


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    line = np.concatenate([vibrato(hz, 1.5, RATE) for hz in (196, 262, 220)])
    return sing(line, RATE, np.random.default_rng(1))


def test_the_runbooks_call_measures_everything(voice: np.ndarray, models_dir: Path, tmp_path: Path) -> None:
    higher = convert_recording(
        available()["classic"](480), voice, None, Controls(pitch_semitones=4, auto_pitch=False)
    )
    io.encode(tmp_path / "original.wav", voice, RATE)
    io.encode(tmp_path / "converted.wav", higher, RATE)
    np.save(tmp_path / "target.npy", np.ones(256, np.float32) / 16)
    quality = QualityMetricsAggregator(models_dir).compute_all_metrics(
        original_audio=str(tmp_path / "original.wav"),
        converted_audio=str(tmp_path / "converted.wav"),
        target_embedding=str(tmp_path / "target.npy"),
        semitones=4.0,
    )
    assert quality["pitch_accuracy"]["rmse_cents"] < 40
    assert quality["pitch_accuracy"]["correlation"] > 0.95
    likeness = quality["speaker_similarity"]
    assert 0 < likeness["cosine_similarity"] < 1
    assert 0 < likeness["source_similarity"] < 1
    assert likeness["embedding_distance"] == pytest.approx((2 - 2 * likeness["cosine_similarity"]) ** 0.5)
    in_tune = 1 - quality["pitch_accuracy"]["rmse_cents"] / 100
    alike = np.clip((likeness["cosine_similarity"] - 0.5) / 0.4, 0, 1)
    assert quality["overall_quality_score"] == pytest.approx(0.5 * in_tune + 0.5 * alike)
    assert quality["unmeasured"] == {}


def test_given_pitch_and_embeddings_need_no_audio(models_dir: Path, tmp_path: Path) -> None:
    f0 = (220 * 2 ** (np.sin(np.arange(200) / 20) / 6)).astype(np.float32)
    np.save(tmp_path / "f0.npy", f0)
    one = np.random.default_rng(1).random(256).astype(np.float32)
    quality = QualityMetricsAggregator(models_dir).compute_all_metrics(
        reference_f0=tmp_path / "f0.npy", converted_f0=f0, target_embedding=one, converted_embedding=one
    )
    assert quality["pitch_accuracy"]["rmse_hz"] == 0
    assert quality["speaker_similarity"]["cosine_similarity"] == pytest.approx(1.0)
    assert quality["overall_quality_score"] == pytest.approx(1.0)
    assert set(quality["unmeasured"]) == {"source_similarity"}


def test_nothing_given_is_null_with_reasons(models_dir: Path) -> None:
    quality = QualityMetricsAggregator(models_dir).compute_all_metrics()
    assert quality["pitch_accuracy"]["rmse_hz"] is None
    assert quality["speaker_similarity"]["cosine_similarity"] is None
    assert quality["overall_quality_score"] is None
    assert all(quality["unmeasured"].values())


def test_pickles_are_not_opened(models_dir: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([object()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        QualityMetricsAggregator(models_dir).compute_all_metrics(reference_f0=tmp_path / "evil.npy")
