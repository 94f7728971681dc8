import numpy as np
import pytest
import soxr

from kernels import limiter

RATE = 44_100


def run(x: np.ndarray, ceiling: float, block: int = 1000) -> np.ndarray:
    """Limit a whole signal in blocks and take the delay away."""
    state = limiter.open_limiter(len(x))
    padded = np.concatenate((x, np.zeros((len(x), limiter.DELAY), np.float32)), 1)
    parts = [limiter.limit(state, padded[:, s : s + block], ceiling) for s in range(0, padded.shape[1], block)]
    return np.concatenate(parts, 1)[:, limiter.DELAY :]


def true_peak(x: np.ndarray) -> float:
    """Of all but the edges, where the resampler rings."""
    return max(float(np.abs(soxr.resample(channel, RATE, 8 * RATE)[8000:-8000]).max()) for channel in x)


def loud(seconds: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    noise = soxr.resample(rng.standard_normal((int(seconds * 32_000), 2)), 32_000, RATE).T  # up to 16 kHz
    noise *= 0.3 + 1.5 * (np.sin(np.arange(noise.shape[1]) / 3000) > 0.7)
    return noise.astype(np.float32)


@pytest.mark.parametrize("hz", [997.0, 11_025.0])
def test_true_peaks_stay_under_the_ceiling(hz: float) -> None:
    tone = 1.6 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE + np.pi / 4).astype(np.float32)
    out = run(tone[None], 0.89)
    assert true_peak(out) < 0.89 * 1.01
    assert true_peak(out) > 0.80


def test_noise_bursts_stay_under_the_ceiling() -> None:
    out = run(loud(), 0.89)
    assert np.abs(out).max() <= 0.89 * 1.001
    assert true_peak(out) < 0.89 * 1.06


def test_what_is_quiet_passes_untouched_and_aligned() -> None:
    x = 0.2 * loud()
    x = np.clip(x, -0.5, 0.5).astype(np.float32)
    assert np.abs(run(x, 0.89) - x).max() < 1e-6


def test_blocks_do_not_matter() -> None:
    x = loud(0.5)
    assert np.array_equal(run(x, 0.89, 37), run(x, 0.89, 50_000))


def test_channels_are_turned_down_together() -> None:
    x = loud(0.5)
    x[1] = 0.1 * x[0]
    out = run(x, 0.89)
    assert np.allclose(out[1], 0.1 * out[0], atol=1e-6)
