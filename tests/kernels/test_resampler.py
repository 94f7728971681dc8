import numpy as np
import pytest

from kernels.resampler import StreamResampler


@pytest.mark.parametrize("rates", [(44_100, 48_000), (16_000, 48_000), (48_000, 16_000), (48_000, 48_000)])
def test_blocks_give_what_the_whole_gives(rates: tuple[int, int]) -> None:
    x = np.sin(2 * np.pi * 440 * np.arange(rates[0]) / rates[0]).astype(np.float32)
    whole = StreamResampler(*rates).finish(x)
    stream = StreamResampler(*rates)
    parts = [stream.push(part) for part in np.array_split(x, 37)]
    parts.append(stream.finish(np.zeros(0, np.float32)))
    assert np.abs(np.concatenate(parts) - whole).max() < 1e-5
    t = np.arange(len(whole)) / rates[1]
    middle = slice(1000, -1000)
    assert np.abs(whole - np.sin(2 * np.pi * 440 * t))[middle].max() < 1e-3


def test_refuses_rates_that_are_none() -> None:
    with pytest.raises(ValueError, match="positive"):
        StreamResampler(0, 48_000)
