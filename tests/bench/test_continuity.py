"""The figures of a performance, from performances that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from bench.continuity import FRAME, RATE, Heard, Take, log_spectral_distance_db, measure, stalls

LOSSY = range(200, 400)
SOUND = (8000 * np.sin(np.arange(600 * FRAME) * 0.03)).astype(np.int16)


def take(delay_s: float = 0.02, late: dict[int, float] | None = None, lost: range = range(0)) -> Take:
    """600 frames that come back after `delay_s`, some of them later than that, and in order; some not."""
    made = Take(began=100.0, frames=600, lossy=LOSSY, late_sending=[0.0])
    made.stats = {"before": {"concealed": 0, "gaps": 0}, "after": {"concealed": 480, "gaps": 480}}
    at = 0.0
    for n, sent in enumerate(made.sent()):
        at = max(at, sent + delay_s + (late or {}).get(n, 0.0))
        if n not in lost:
            made.heard.append(Heard(at, n * FRAME, SOUND[n * FRAME : (n + 1) * FRAME]))
    return made


def test_a_frame_is_sent_when_its_last_sample_is_captured() -> None:
    assert take().sent()[:2] == pytest.approx([100.01, 100.02])


def test_even_delays() -> None:
    figures = measure(take(), take(), take())
    assert figures["delay_p50_ms"] == pytest.approx(20)
    assert figures["delay_p95_ms"] == pytest.approx(20)
    assert figures["longest_stall_ms"] == pytest.approx(0, abs=1e-6)
    assert figures["stalled_over_40"] == 0
    assert figures["delay_increase_ms"] == pytest.approx(0)
    assert figures["concealed_in_pct"] == pytest.approx(100 * 2 / 200)
    assert figures["concealed_out_pct"] == 0
    assert figures["distance_db"] == 0


def test_frames_behind_a_late_one_are_one_stall_with_it() -> None:
    figures = measure(take(late={250: 0.1, 300: 0.03}), take(), take())
    assert figures["longest_stall_ms"] == pytest.approx(100)
    assert figures["stalled_ms"] == pytest.approx(130)
    assert figures["stalled_over_40"] == 1


def test_what_never_came_is_ready_when_the_next_frame_is() -> None:
    performance = take(lost=range(300, 303))
    assert performance.delays()[299:304] == pytest.approx([0.02, 0.05, 0.04, 0.03, 0.02])
    figures = measure(performance, take(), take())
    assert figures["concealed_out_pct"] == pytest.approx(100 * 3 / 200)
    assert figures["longest_stall_ms"] == pytest.approx(30)
    distance = figures["distance_db"]
    assert distance is not None
    assert distance > 0.1


def test_what_never_came_at_the_end_is_never_ready() -> None:
    assert np.isinf(take(lost=range(590, 600)).delays()[-10:]).all()


def test_what_is_made_up_is_not_heard() -> None:
    performance = take()
    performance.heard[300].made_up = True
    assert performance.made_up(LOSSY) == pytest.approx(1 / 200)
    assert performance.delays()[300] == pytest.approx(0.02)


def test_a_delay_that_grows_and_stays_is_told() -> None:
    grown = take(late=dict.fromkeys(range(205, 600), 0.08))
    figures = measure(grown, take(), take())
    assert figures["delay_increase_ms"] == pytest.approx(80)
    assert figures["delay_left_ms"] == pytest.approx(80)
    passing = measure(take(late=dict.fromkeys(range(205, 399), 0.08)), take(), take())
    assert passing["delay_left_ms"] == pytest.approx(0)


def test_blocks_that_begin_before_the_stream_and_do_not_meet_the_frames() -> None:
    made = Take(began=0.0, frames=2)
    made.heard = [Heard(1.0, -100, np.ones(480, np.int16)), Heard(2.0, 380, np.ones(480, np.int16))]
    assert made.ready() == pytest.approx([2.0, np.inf])
    assert made.played()[:860].all()
    assert not made.played()[860:].any()


def test_stalls_at_the_edges() -> None:
    assert stalls(np.array([3.0, 1.0, 1.0, 2.0, 5.0]), 1.0) == pytest.approx([2.0, 4.0])
    assert len(stalls(np.array([1.0]), 1.0)) == 0


def test_distance_of_a_gain_is_the_gain() -> None:
    noise = np.random.default_rng(1).integers(-8000, 8000, RATE).astype(np.int16)
    assert log_spectral_distance_db(noise // 2, noise) == pytest.approx(6.02, abs=0.05)
    assert log_spectral_distance_db(noise, noise) == 0


def test_silence_is_not_compared() -> None:
    silence = np.zeros(RATE, np.int16)
    assert log_spectral_distance_db(silence, silence) is None
    half = np.concatenate((np.full(RATE, 9000, np.int16), silence))
    hum = np.concatenate((np.full(RATE, 9000, np.int16), np.full(RATE, 30, np.int16)))
    distance = log_spectral_distance_db(hum, half)
    assert distance is not None
    assert distance < 0.5
