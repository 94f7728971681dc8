import numpy as np
import pytest

from pipeline.quality import PitchAccuracy, Unmeasured, f0_statistics, pitch_accuracy, similarity


def melody() -> np.ndarray:
    f0 = (220 * 2 ** (np.sin(np.arange(500) / 30) / 4)).astype(np.float32)
    f0[::7] = 0
    return f0


def test_the_intended_transposition_is_no_error() -> None:
    found = pitch_accuracy(melody(), melody() * np.float32(2 ** (5 / 12)), 5.0)
    assert isinstance(found, PitchAccuracy)
    assert found.rmse_hz < 0.01
    assert found.correlation == pytest.approx(1.0, abs=1e-4)
    assert found.common_frames == np.count_nonzero(melody())


def test_errors_have_their_size() -> None:
    found = pitch_accuracy(melody(), melody() * np.float32(2 ** (50 / 1200)))
    assert isinstance(found, PitchAccuracy)
    assert found.rmse_cents == pytest.approx(50, abs=0.1)
    assert found.median_abs_cents == pytest.approx(50, abs=0.1)
    assert found.rmse_log2 == pytest.approx(50 / 1200, abs=1e-4)


def test_a_held_note_has_no_correlation() -> None:
    note = np.full(100, 220, np.float32)
    found = pitch_accuracy(note, note)
    assert isinstance(found, PitchAccuracy)
    assert found.correlation is None


def test_what_cannot_be_measured_says_why() -> None:
    silent = np.zeros(100, np.float32)
    for found in (
        pitch_accuracy(melody(), silent),
        pitch_accuracy(silent[:0], silent),
        f0_statistics(silent),
        similarity(np.zeros(256, np.float32), np.ones(256, np.float32)),
        similarity(np.ones(3, np.float32), np.ones(256, np.float32)),
    ):
        assert isinstance(found, Unmeasured)
        assert found.reason


def test_statistics_are_those_of_the_voiced_part() -> None:
    found = f0_statistics(melody())
    assert isinstance(found, dict)
    assert found["median_hz"] == pytest.approx(220, rel=0.1)
    assert found["voiced_fraction"] == pytest.approx(6 / 7, abs=0.01)
