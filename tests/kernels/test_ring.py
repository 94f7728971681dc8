import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels import ring


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(0, 10_000))
def test_reads_what_was_written_wherever_it_wraps(sizes: list[int], start: int) -> None:
    buffer = np.zeros(256, np.int16)
    written = np.arange(sum(sizes), dtype=np.int16)
    position = start
    for size in sizes:
        piece = written[position - start : position - start + size]
        ring.put(buffer, position, piece)
        out = np.zeros(size, np.float32)
        ring.take(buffer, position, out)
        assert (out * 32768 == piece).all()
        position += size
    kept = min(256, len(written))
    out = np.zeros(kept, np.float32)
    ring.take(buffer, position - kept, out)
    assert (out * 32768 == written[-kept:]).all()


def test_a_bridge_fades_the_last_sample_to_silence() -> None:
    buffer = np.full(256, 1000, np.int16)
    ring.bridge(buffer, 10, 60, 20)
    assert buffer[10] == 1000
    assert (np.diff(buffer[10:30]) < 0).all()
    assert (buffer[30:60] == 0).all()
    assert buffer[60] == 1000


def test_fade_in_rises_from_silence_to_the_samples() -> None:
    buffer = np.full(64, 1000, np.int16)
    ring.fade_in(buffer, 60, 10)
    assert buffer[60] == 100
    assert buffer[5] == 1000
    assert buffer[6] == 1000
