"""Tracks of takes as files: appended by many, cut, read with silence at the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from auto_voice.storage.take_files import BLOCK, BadChunk, SamplesFile


def test_two_that_add_the_same_add_it_once(tmp_path: Path) -> None:
    track = SamplesFile(tmp_path / "dry.pcm", 1)
    samples = np.random.default_rng(1).integers(-9000, 9000, 40_000).astype("<i2").tobytes()

    def send(_: int) -> None:
        for start in range(0, 40_000, 1000):
            track.append(start, samples[2 * start : 2 * start + 2000], 40_000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    assert track.path.read_bytes() == samples


def test_it_is_read_in_blocks_and_ends_in_silence(tmp_path: Path) -> None:
    track = SamplesFile(tmp_path / "mix.pcm", 2)
    assert track.frames == 0
    frames = BLOCK + 10
    pairs = np.stack([np.full(frames, 16_384), np.full(frames, -16_384)], 1).astype("<i2")
    assert track.append(0, pairs.tobytes(), frames) == frames
    first, second = track.blocks(frames + 5)
    assert (first.shape, second.shape) == ((2, BLOCK), (2, 15))
    assert first[:, 0].tolist() == [0.5, -0.5]
    assert second[:, 10:].tolist() == [[0.0] * 5] * 2
    track.cut(7)
    assert track.frames == 7


def test_half_a_sample_that_a_crash_has_left_moves_nothing(tmp_path: Path) -> None:
    track = SamplesFile(tmp_path / "mix.pcm", 2)
    track.path.write_bytes(b"abcdef")
    assert track.append(1, b"ghij", 10) == 2
    assert track.path.read_bytes() == b"abcdghij"


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    track = SamplesFile(tmp_path / "dry.pcm", 1)
    track.append(0, b"abcd", 10)
    for position, data, code in (
        (3, b"ef", "chunk_gap"),
        (0, b"ax", "chunk_conflict"),
        (2, b"e", "invalid_parameter"),
        (2, bytes(18), "invalid_audio_duration"),
    ):
        with pytest.raises(BadChunk) as caught:
            track.append(position, data, 10)
        assert (caught.value.code, caught.value.details) == (code, {"received": 2})
    assert track.path.read_bytes() == b"abcd"
