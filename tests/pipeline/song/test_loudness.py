import math

import numpy as np
import pytest

from pipeline.song.loudness import LoudnessMeter


def tone(hz: float, level_db: float, seconds: float, rate: int) -> np.ndarray:
    return 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def measure(sound: np.ndarray, rate: int) -> float:
    meter = LoudnessMeter(rate, len(sound))
    for start in range(0, sound.shape[1], 5000):
        meter.push(sound[:, start : start + 5000].astype(np.float32))
    return meter.lufs()


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_a_stereo_tone_of_1_khz_reads_its_level(level: float, rate: int) -> None:
    """EBU Tech 3341, cases 1 and 2."""
    assert measure(np.stack([tone(1000, level, 20, rate)] * 2), rate) == pytest.approx(level, abs=0.1)


def test_quiet_parts_are_gated_away() -> None:
    """EBU Tech 3341, case 3."""
    parts = [tone(1000, level, seconds, 48_000) for level, seconds in ((-36, 10), (-23, 60), (-36, 10))]
    assert measure(np.stack([np.concatenate(parts)] * 2), 48_000) == pytest.approx(-23.0, abs=0.1)


def test_silence_and_short_sounds_have_none() -> None:
    assert measure(np.zeros((2, 48_000)), 48_000) == -math.inf
    assert measure(np.stack([tone(1000, -20, 0.3, 48_000)]), 48_000) == -math.inf
