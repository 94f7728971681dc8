import numpy as np
import pytest

from kernels import crossfade


def test_power_is_the_mean_square() -> None:
    x = np.array([1, -1, 3], np.float32)
    assert crossfade.power(x) == pytest.approx(11 / 3)
    assert crossfade.power(np.zeros(0, np.float32)) == 0


def test_to_pcm_rounds_limits_and_silences_what_is_no_number() -> None:
    x = np.array([0, 0.5, 1, -1, 2, -2, np.nan, np.inf], np.float32)
    out = np.zeros(8, np.int16)
    crossfade.to_pcm(x, out)
    assert out.tolist() == [0, 16384, 32767, -32767, 32767, -32768, 0, 0]


def test_a_crossfade_of_equals_changes_nothing_and_ends_on_the_second() -> None:
    a, b = np.ones(8, np.float32), np.full(8, 3, np.float32)
    out = np.zeros(8, np.float32)
    crossfade.crossfade(a, a, out)
    assert (out == 1).all()
    crossfade.crossfade(a, b, out)
    assert out[-1] == 3
    assert (np.diff(out) > 0).all()
