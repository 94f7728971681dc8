import numpy as np
import pytest

from kernels import fft


@pytest.mark.parametrize("size", [4, 8, 64, 1024, 2048])
def test_agrees_with_numpy_and_inverts(size: int) -> None:
    plan = fft.plan(2048)
    x = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    re, im = np.zeros(size // 2 + 1, np.float32), np.zeros(size // 2 + 1, np.float32)
    fft.rfft(x, size, re, im, plan)
    assert np.abs(re + 1j * im - np.fft.rfft(x)).max() < 2e-5 * np.sqrt(size)
    back = np.zeros(size, np.float32)
    fft.irfft(re, im, size, back, plan)
    assert np.abs(back - x).max() < 2e-6


@pytest.mark.parametrize("size", [0, 2, 3, 100])
def test_refuses_other_sizes(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        fft.plan(size)
