"""Audio encoded as it is made."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline import io
from pipeline.encoder import FORMATS, StreamEncoder
from pipeline.errors import InvalidAudioFormat

RATE = 48_000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize("name", FORMATS)
def test_what_comes_in_parts_is_one_file(name: str) -> None:
    encoder = StreamEncoder(name, RATE)
    parts = [encoder.push(part) for part in np.array_split(TONE, 20)]
    assert sum(map(len, parts)) > 0, "the first part is heard before the last is made"
    back = io.decode(b"".join([*parts, encoder.finish()]), sample_rate=RATE, max_seconds=10)
    assert abs(len(back.samples) - len(TONE)) < 0.06 * RATE  # lossy codecs add a little at both ends
    spectrum = np.abs(np.fft.rfft(back.samples[: 2 * RATE - RATE // 10]))
    assert np.argmax(spectrum) * RATE / (2 * RATE - RATE // 10) == pytest.approx(440, abs=1)


def test_silence_and_nothing_are_files_too() -> None:
    encoder = StreamEncoder("wav", RATE)
    assert io.decode(
        encoder.push(np.zeros(RATE, np.float32)) + encoder.finish(), sample_rate=RATE, max_seconds=2
    )


def test_another_format_is_refused() -> None:
    with pytest.raises(InvalidAudioFormat, match="cannot write"):
        StreamEncoder("exe", RATE)
