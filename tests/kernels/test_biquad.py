import numpy as np

from kernels.biquad import filter_block
from pipeline.song.loudness import k_weighting


def test_blocks_are_one_stream_and_the_response_is_the_formula() -> None:
    sections = k_weighting(48_000)
    x = np.random.default_rng(1).standard_normal(4096).astype(np.float32)
    whole, state = np.empty(len(x)), np.zeros((2, 2))
    filter_block(sections, state, x, whole)
    state = np.zeros((2, 2))
    parts = []
    for start in range(0, len(x), 100):
        part = np.empty(len(x[start : start + 100]))
        filter_block(sections, state, x[start : start + 100], part)
        parts.append(part)
    assert np.array_equal(np.concatenate(parts), whole)
    impulse = np.zeros(48_000, np.float32)
    impulse[0] = 1
    response = np.empty(len(impulse))
    filter_block(sections, np.zeros((2, 2)), impulse, response)
    z = np.exp(-2j * np.pi * np.arange(24_001) / 48_000)
    expected = np.prod(
        [(s[0] + s[1] * z + s[2] * z**2) / (1 + s[3] * z + s[4] * z**2) for s in sections], axis=0
    )
    assert np.abs(np.fft.rfft(response) - expected).max() < 1e-3


def test_published_coefficients_at_48_khz() -> None:
    shelf, high_pass = k_weighting(48_000)  # ITU-R BS.1770-4, tables 1 and 2
    assert np.allclose(
        shelf,
        [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585],
        atol=1e-6,
    )
    assert np.allclose(high_pass[3:], [-1.99004745483398, 0.99007225036621], atol=1e-6)
