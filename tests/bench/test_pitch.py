import numpy as np

from bench.pitch import compare, late_by_ms, reference_at
from pipeline.pitch import live

TRUTH = np.array([0.0, 200.0, 200.0, np.nan, 0.0, 220.0])


def test_finding_nothing_is_no_success() -> None:
    score = compare(np.zeros(6), TRUTH)
    assert score.recall == 0
    assert score.false_alarms == 0
    assert np.isnan([score.cents, score.gross, score.octave]).all()


def test_errors_are_counted_where_both_are_voiced() -> None:
    score = compare(np.array([100.0, 400.0, 200.0, 900.0, 0.0, 0.0]), TRUTH)
    assert score.octave == 0.5
    assert score.gross == 0.5
    assert score.recall == 2 / 3
    assert score.false_alarms == 0.5


def test_a_reference_is_unknown_beside_its_ends() -> None:
    instants, hz = np.arange(5.0), np.array([0.0, 0.0, 100.0, 200.0, 0.0])
    found = reference_at(np.array([0.5, 1.5, 2.5, 3.5, 2.0]), instants, hz)
    assert found[0] == 0
    assert np.isnan(found[[1, 3]]).all()
    assert np.allclose(found[2], np.sqrt(100 * 200))


def test_lateness_is_measured() -> None:
    def tracker(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f0, _ = live.track(audio)
        return ((np.arange(len(f0)) + 1) * live.HOP - live.LOOKAHEAD) / 48_000 + 0.008, f0

    assert late_by_ms(tracker) >= 6
