import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels import stft


def through(x: np.ndarray, sizes: list[int], size: int = 64) -> np.ndarray:
    stream, out = stft.open_stft(size), []
    pieces = np.split(x, np.cumsum(sizes)[:-1])
    for piece in pieces:
        taken = 0
        while taken < len(piece):
            taken += stft.push(stream, piece[taken:])
            if stream.fill[0] == 0:
                done = np.zeros(size // 2, np.float32)
                stft.pull(stream, done)
                out.append(done)
    return np.concatenate(out) if out else np.zeros(0, np.float32)


@given(st.lists(st.integers(1, 90), min_size=3, max_size=20))
def test_analysis_and_synthesis_are_the_identity_for_any_split(sizes: list[int]) -> None:
    x = np.random.default_rng(1).standard_normal(sum(sizes)).astype(np.float32)
    y = through(x, sizes)
    assert np.abs(y[32:] - x[: max(0, len(y) - 32)]).max(initial=0) < 1e-5
    assert np.abs(y - through(x, [len(x)])).max(initial=0) == 0


def test_a_tone_lands_in_its_bin() -> None:
    stream = stft.open_stft(256)
    x = np.cos(2 * np.pi * 16 * np.arange(256) / 256).astype(np.float32)
    taken = stft.push(stream, x)
    stft.push(stream, x[taken:])
    assert int(np.argmax(np.hypot(stream.re, stream.im))) == 16
