import math
from pathlib import Path

import numpy as np
import pytest

from pipeline import io
from pipeline.reader import AudioReader
from pipeline.song import mix
from pipeline.song.report import silent
from pipeline.synthetic import sing, vibrato
from tests.pipeline.song.conftest import MakeTrack

RATE = 44_100


def voice(level: float = 0.3) -> np.ndarray:
    sound = sing(vibrato(220, 3.0, RATE), RATE, np.random.default_rng(1))
    return level * np.stack([sound, sound]) / np.abs(sound).max()


def backing(level: float = 0.3) -> np.ndarray:
    t = np.arange(3 * RATE) / RATE
    return level * np.stack([np.sin(2 * np.pi * 330 * t), np.sin(2 * np.pi * 440 * t)])


def read(path: Path) -> np.ndarray:
    with AudioReader(path) as reader:
        return np.concatenate(list(reader.blocks(channels=2)), 1)


def test_vocals_and_accompaniment_add_up(make_track: MakeTrack, tmp_path: Path) -> None:
    mix.write_mix(
        make_track(voice()), make_track(backing()), tmp_path / "m.wav", 1.0, mix.MixSettings(), silent
    )
    assert np.abs(read(tmp_path / "m.wav") - voice() - backing()).max() < 1e-4


def test_volumes_are_obeyed_and_nothing_clips(make_track: MakeTrack, tmp_path: Path) -> None:
    settings = mix.MixSettings(vocal_volume=2.0, accompaniment_volume=2.0)
    mix.write_mix(make_track(voice(0.9)), make_track(backing(0.9)), tmp_path / "m.wav", 1.0, settings, silent)
    out = read(tmp_path / "m.wav")
    assert np.abs(out).max() < mix.CEILING * 1.01
    settings = mix.MixSettings(vocal_volume=0.0, accompaniment_volume=0.5)
    mix.write_mix(make_track(voice()), make_track(backing()), tmp_path / "m.wav", 1.0, settings, silent)
    assert np.abs(read(tmp_path / "m.wav") - 0.5 * backing()).max() < 1e-4


@pytest.mark.parametrize("semitones", [-12.0, -3.0, 5.0, 12.0])
def test_the_accompaniment_moves_without_changing_its_length(
    semitones: float, make_track: MakeTrack, tmp_path: Path
) -> None:
    settings = mix.MixSettings(accompaniment_semitones=semitones)
    silence = make_track(np.zeros((2, 3 * RATE)))
    mix.write_mix(silence, make_track(backing()), tmp_path / "m.wav", 1.0, settings, silent)
    out = read(tmp_path / "m.wav")
    assert out.shape == (2, 3 * RATE)
    for channel, hz in zip(out[:, RATE : 2 * RATE], (330, 440), strict=True):
        found = np.abs(np.fft.rfft(channel * np.hanning(RATE))).argmax()
        assert found == pytest.approx(hz * 2 ** (semitones / 12), rel=0.01)


def test_loudness_is_matched_within_limits(make_track: MakeTrack) -> None:
    loud, quiet, silence = make_track(voice(0.4)), make_track(voice(0.2)), make_track(np.zeros((2, RATE)))
    assert 20 * math.log10(mix.matching_gain(quiet, loud)) == pytest.approx(6.0, abs=0.1)
    assert mix.matching_gain(silence, loud) == 1.0
    assert mix.matching_gain(loud, silence) == 1.0
    assert mix.matching_gain(make_track(voice(0.01)), loud) == pytest.approx(10 ** (12 / 20))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg"])
def test_every_format_is_written(suffix: str, make_track: MakeTrack, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    mix.write_stem(make_track(voice()), path, 1.0, silent)
    audio = io.decode(path, sample_rate=RATE, max_seconds=10)
    assert audio.seconds == pytest.approx(3.0, abs=0.1)
    assert audio.channels == 2
