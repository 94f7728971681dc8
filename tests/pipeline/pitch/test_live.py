import numpy as np
import pytest

from pipeline.pitch import live
from pipeline.synthetic import glide, rest, sing, vibrato

RATE = 48_000


def cents_off(found: np.ndarray, line: np.ndarray) -> np.ndarray:
    at = (np.arange(len(found)) + 1) * live.HOP - live.LOOKAHEAD
    truth = line[np.clip(at, 0, len(line) - 1)]
    both = (found > 0) & (truth > 0)
    assert both.sum() > 0.9 * (truth > 0).sum()
    return np.abs(1200 * np.log2(found[both] / truth[both]))


@pytest.mark.parametrize("hz", [45, 60, 82, 110, 220, 440, 700, 1040])
def test_finds_the_pitch_of_a_note_with_vibrato(hz: float) -> None:
    line = vibrato(hz, 1.0, RATE, depth_cents=30)
    found, clarity = live.track(sing(line, RATE, np.random.default_rng(1), snr_db=30))
    off = cents_off(found, line)
    assert np.median(off) < 10
    assert np.mean(off > 50) < 0.05
    assert clarity.max() <= 1


def test_follows_a_glide_without_octave_jumps() -> None:
    line = glide(90, 800, 2.0, RATE)
    found, _ = live.track(sing(line, RATE, np.random.default_rng(2)))
    assert np.mean(cents_off(found, line) > 100) < 0.02


def test_noise_and_silence_have_no_pitch() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(RATE).astype(np.float32) * 0.1
    assert np.mean(live.track(noise)[0] > 0) < 0.05
    assert not live.track(np.zeros(RATE, np.float32))[0].any()


@pytest.mark.parametrize("hz", [110, 300])
def test_finds_a_voice_that_is_mostly_breath(hz: float) -> None:
    line = vibrato(hz, 1.5, RATE, depth_cents=30)
    found, _ = live.track(sing(line, RATE, np.random.default_rng(8), snr_db=-5))
    assert (found[20:] > 0).all()
    at = (np.arange(len(found)) + 1) * live.HOP - live.LOOKAHEAD
    truth = line[np.clip(at, 0, len(line) - 1)]
    assert np.mean(np.abs(1200 * np.log2(found[20:] / truth[20:])) > 300) < 0.02


@pytest.mark.parametrize("hz", [80, 150, 310])
def test_a_first_period_is_no_harmonic(hz: float) -> None:
    found, _ = live.track(sing(vibrato(hz, 0.3, RATE), RATE, np.random.default_rng(9)))
    assert found.max() < 1.2 * hz


def test_a_pause_is_heard_as_one() -> None:
    line = np.concatenate([vibrato(200, 0.5, RATE), rest(0.4, RATE), vibrato(200, 0.5, RATE)])
    found, _ = live.track(sing(line, RATE, np.random.default_rng(4)))
    middle = found[int(0.58 * 200) : int(0.85 * 200)]
    assert np.mean(middle > 0) < 0.1


def test_nothing_poisons_the_state() -> None:
    line = vibrato(220, 1.0, RATE)
    good = sing(line, RATE, np.random.default_rng(5))
    bad = good.copy()
    bad[:4800:7] = np.nan
    bad[1:4800:7] = np.inf
    found, clarity = live.track(bad)
    assert np.isfinite(found).all()
    assert np.isfinite(clarity).all()
    assert np.median(cents_off(found[60:], line[60 * live.HOP :])) < 10


def test_rows_do_not_hear_each_other() -> None:
    rng = np.random.default_rng(6)
    one, two = (sing(vibrato(hz, 0.3, RATE), RATE, rng) for hz in (150.0, 400.0))
    state, tables = live.open_state(2), live.make_tables()
    found = []
    for start in range(0, len(one) - live.HOP, live.HOP):
        live.track_hop(state, 1, two[start : start + live.HOP], tables)
        found.append(live.track_hop(state, 0, one[start : start + live.HOP], tables)[0])
    alone, _ = live.track(one)
    assert np.array_equal(np.array(found, np.float32), alone[: len(found)])
    live.reset_row(state, 0)
    again = live.track_hop(state, 0, one[: live.HOP], tables)[0]
    assert again == alone[0]
