"""How late each second of a song comes in a voice."""

from __future__ import annotations

import numpy as np
import pytest

from bench.rooms import RATE, lags_ms


@pytest.mark.parametrize("shift", [-480, 0, 4_801])
def test_each_second_is_found_where_it_is(shift: int) -> None:
    rng = np.random.default_rng(4)
    song = rng.standard_normal(4 * RATE)
    voice = np.roll(song, shift) + 0.3 * rng.standard_normal(len(song))
    found = lags_ms(song, voice)
    assert len(found) == 4
    assert np.allclose(found[1:-1], 1000 * shift / RATE, atol=0.03)


def test_what_is_not_there_is_not_found() -> None:
    rng = np.random.default_rng(5)
    assert np.isnan(lags_ms(rng.standard_normal(2 * RATE), rng.standard_normal(2 * RATE))).all()
