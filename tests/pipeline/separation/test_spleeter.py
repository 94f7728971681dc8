from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import weights
from pipeline.errors import WeightsCorrupt, WeightsUnavailable
from pipeline.reader import AudioReader
from pipeline.separation.spleeter import Spleeter
from pipeline.separation.unet import UNet
from pipeline.synthetic import rest, sing, vibrato
from tests.pipeline.separation.conftest import Song
from tests.pipeline.separation.test_tf_bundle import bundle

RATE = 44_100


@pytest.fixture(scope="module")
def spleeter(models_dir: Path) -> Spleeter:
    try:
        index, data = (weights.fetch(name, models_dir) for name in ("spleeter-index", "spleeter-data"))
    except WeightsUnavailable as problem:
        pytest.skip(str(problem))
    return Spleeter(index, data)


def sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    return float(10 * np.log10((reference**2).sum() / ((reference - estimate) ** 2).sum()))


def separate(separator: Spleeter, sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    stems = list(separator.separate(Song(sound)))
    return np.concatenate([s.vocals for s in stems], 1), np.concatenate([s.accompaniment for s in stems], 1)


@pytest.mark.parametrize("length", [1, 1000, 3 * RATE, 12 * RATE + 1234, 30 * RATE])
def test_the_stems_are_the_mixture_whatever_its_length(spleeter: Spleeter, length: int) -> None:
    sound = np.random.default_rng(1).standard_normal((2, length)).astype(np.float32) * 0.1
    vocals, accompaniment = separate(spleeter, sound)
    assert vocals.shape == accompaniment.shape == sound.shape
    assert np.abs(vocals + accompaniment - sound).max() < 1e-6


def test_real_vocals_are_found(spleeter: Spleeter, recordings: Path) -> None:
    parts = {}
    for name in ("vocals", "accompaniment"):
        with AudioReader(recordings / "stems" / "francium" / f"{name}.flac") as reader:
            parts[name] = np.concatenate(list(reader.blocks(channels=2)), 1)[:, : 30 * RATE]
    mixture = parts["vocals"] + parts["accompaniment"]
    vocals, accompaniment = separate(spleeter, mixture)
    assert sdr(parts["vocals"], vocals) > sdr(parts["vocals"], mixture) + 4
    assert sdr(parts["accompaniment"], accompaniment) > sdr(parts["accompaniment"], mixture) + 4


def test_the_level_does_not_matter(spleeter: Spleeter) -> None:
    rng = np.random.default_rng(2)
    line = np.concatenate([vibrato(220, 1.5, RATE), rest(0.5, RATE)] * 3)
    song = np.stack([sing(line, RATE, rng)] * 2) * 0.3 + 0.05 * rng.standard_normal((2, 6 * RATE))
    loud, _ = separate(spleeter, song.astype(np.float32))
    quiet, _ = separate(spleeter, (0.01 * song).astype(np.float32))
    assert sdr(loud, 100 * quiet) > 40


def test_memory_does_not_grow_with_the_song(spleeter: Spleeter) -> None:
    song = Song(np.zeros((2, 60 * RATE), np.float32))
    for stems in spleeter.separate(song):
        assert stems.vocals.shape[1] < 13 * RATE
        assert not stems.vocals.any()
    assert song.largest_read <= 1 << 20


def test_the_caller_may_stop(spleeter: Spleeter) -> None:
    stream = spleeter.separate(Song(np.zeros((2, 60 * RATE), np.float32)))
    next(stream)
    stream.close()


def test_other_shapes_and_rates_are_refused(spleeter: Spleeter) -> None:
    for song in (Song(np.zeros((1, RATE))), Song(np.zeros((2, RATE)), 48_000)):
        with pytest.raises(ValueError, match="stereo mixture"):
            next(spleeter.separate(song))


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="two stems"):
        Spleeter(*bundle(tmp_path, {"conv2d/kernel": np.zeros((5, 5, 2, 16), np.float32)}))


def test_the_net_keeps_the_shape() -> None:
    magnitudes = torch.rand(1, 2, 128, 64)
    with torch.inference_mode():
        out = UNet().eval()(magnitudes)
    assert out.shape == magnitudes.shape
    assert (out >= 0).all()
    assert (out <= magnitudes).all()
