"""Synthetic singing, from a spoken-like synthetic recording."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soxr

from pipeline import io
from pipeline.pitch import live
from pipeline.synthetic import glide, rest, sing
from training.native.renditions import RATE
from training.native.singing import HIGHEST_HZ, HOP_S, Sung, register, sing_group, write_score


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    line = np.concatenate(
        [rest(0.15, RATE), glide(120, 180, 0.5, RATE), rest(0.2, RATE), glide(200, 110, 0.6, RATE)]
    )
    return sing(line, RATE, np.random.default_rng(1), vowel="e").astype(np.float32)


def test_a_score_holds_vowels_and_leaves_consonants(spoken: np.ndarray) -> None:
    voiced = Sung(spoken).f0_hz > 0
    stretched = [write_score(voiced, np.random.default_rng(n)) for n in range(20)]
    for score in stretched:
        assert (np.diff(score.place) >= 0).all()
        assert score.place[0] == 0
        assert score.place[-1] <= len(voiced) - 1
        assert len(score.semitones) == len(score.place)
        rate = np.diff(score.place)
        unvoiced = ~voiced[score.place[:-1].astype(int)]
        assert 0.7 < np.median(rate[unvoiced]) < 1.15
    assert np.mean([len(s.place) for s in stretched]) > 1.2 * len(voiced)
    assert np.std([s.semitones.mean() for s in stretched]) > 1


@pytest.mark.parametrize("register_hz", [110.0, 440.0, 800.0])
def test_what_is_sung_has_the_pitch_that_is_written_beside_it(spoken: np.ndarray, register_hz: float) -> None:
    voice = Sung(spoken)
    score = write_score(voice.f0_hz > 0, np.random.default_rng(3))
    audio, truth = voice.sing(score, register_hz)
    assert len(truth) == len(score.place)
    assert truth.max() <= HIGHEST_HZ
    found, _ = live.track(soxr.resample(audio, RATE, 48_000).astype(np.float32))
    hop = np.arange(len(found))
    at = ((hop + 1) * live.HOP - live.LOOKAHEAD) / 48_000 / HOP_S
    said = truth[np.clip(np.round(at).astype(int), 0, len(truth) - 1)]
    both = (found > 0) & (said > 0)
    assert both.sum() > 0.8 * (said > 0).sum()
    assert np.median(np.abs(1200 * np.log2(found[both] / said[both]))) < 12


def test_renditions_of_a_sentence_are_sung_in_step(spoken: np.ndarray, tmp_path: Path) -> None:
    renditions, sung = tmp_path / "renditions", tmp_path / "sung"
    renditions.mkdir()
    sung.mkdir()
    (renditions / "00000.json").write_text(json.dumps({"timbres": [["a", "a", 0.0], ["b", "b", 0.0]]}))
    for k, gain in enumerate((0.5, 1.0)):
        io.encode(renditions / f"00000-{k}.flac", spoken * np.float32(gain), RATE)
    sing_group(renditions / "00000.json", sung, np.random.default_rng(5))
    one, two = (io.decode(sung / f"00000-{k}.flac", sample_rate=RATE, max_seconds=60).samples for k in (0, 1))
    place = np.load(sung / "00000.npy")
    assert len(one) == len(two)
    assert abs(len(one) / RATE - len(place) * HOP_S) < 0.02
    assert np.array_equal(np.load(sung / "00000-0.f0.npy") > 0, np.load(sung / "00000-1.f0.npy") > 0)


def test_a_register_is_one_that_can_be_sung() -> None:
    rng = np.random.default_rng(6)
    drawn = np.array([register(150, rng) for _ in range(500)])
    assert drawn.min() >= 70
    assert drawn.max() <= 600
    assert 150 < np.median(drawn) < 300
