from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import AudioTooShort, WeightsCorrupt
from pipeline.pitch import rmvpe
from pipeline.pitch.rmvpe import Rmvpe, RmvpeNetwork


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> RmvpeNetwork:
    """The network with a sixteenth of its channels and random weights."""
    monkeypatch.setattr(rmvpe, "CHANNELS", 1)
    torch.manual_seed(3)
    made = RmvpeNetwork().eval()
    for name, tensor in made.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
    return made


@pytest.fixture
def saved(network: RmvpeNetwork, tmp_path: Path) -> Path:
    path = tmp_path / "rmvpe.pt"
    torch.save(network.state_dict(), path)
    return path


def noise(rows: int, samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(rows, samples, generator=torch.Generator().manual_seed(5))


def test_the_full_network_is_as_large_as_the_published_file() -> None:
    with torch.device("meta"):
        state = RmvpeNetwork().state_dict()
    assert len(state) == 741
    assert sum(tensor.numel() * 2 for tensor in state.values()) == 180_945_834  # half precision: 181 MB
    shapes = {
        "unet.encoder.layers.0.conv.0.shortcut.weight": (16, 1, 1, 1),
        "unet.encoder.layers.4.conv.3.conv.3.weight": (256, 256, 3, 3),
        "unet.intermediate.layers.0.conv.0.shortcut.weight": (512, 256, 1, 1),
        "unet.intermediate.layers.3.conv.3.conv.0.weight": (512, 512, 3, 3),
        "unet.decoder.layers.0.conv1.0.weight": (512, 256, 3, 3),
        "unet.decoder.layers.4.conv2.0.conv.0.weight": (16, 32, 3, 3),
        "cnn.weight": (3, 16, 3, 3),
        "fc.0.gru.weight_ih_l0": (768, 384),
        "fc.1.weight": (360, 512),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


def test_mels_are_those_of_the_formula(network: RmvpeNetwork) -> None:
    audio = noise(2, 2_000)
    found = Rmvpe(network).mels(audio).numpy()
    edges_mel = np.linspace(2595 * np.log10(1 + 30 / 700), 2595 * np.log10(1 + 8000 / 700), 130)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)
    bins = np.arange(513) * 16_000 / 1024
    padded = np.pad(audio.numpy().astype(float), ((0, 0), (512, 512)), mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    assert found.shape == (2, 13, 128)
    for frame in range(13):
        magnitudes = np.abs(np.fft.rfft(padded[:, frame * 160 : frame * 160 + 1024] * window))
        for band in range(0, 128, 9):
            low, middle, high = edges[band : band + 3]
            rise, fall = (bins - low) / (middle - low), (high - bins) / (high - middle)
            weights = np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low)
            expected = np.log(np.maximum(magnitudes @ weights, 1e-5))
            assert np.allclose(found[:, frame, band], expected, atol=1e-3)


def test_a_pitch_every_10_ms_the_same_each_time(saved: Path) -> None:
    tracker, audio = Rmvpe.load(saved), noise(2, 8_000)
    salience = tracker.salience(audio)
    assert salience.shape == (2, 51, 360)
    assert 0 <= salience.min() < salience.max() <= 1
    found = tracker.track(audio)
    assert found.shape == (2, 51)
    assert torch.equal(found, tracker.track(audio))
    assert torch.allclose(found[1:], tracker.track(audio[1:]), rtol=1e-4)
    assert not tracker.track(audio, threshold=1.0).any()
    range_hz = 10 * 2 ** (np.array([1997.3794, 1997.3794 + 359 * 20]) / 1200)
    voiced = found[found > 0]
    assert len(voiced)
    assert range_hz[0] <= voiced.min() <= voiced.max() <= range_hz[1]


def test_the_network_hears_silence_after_the_end(saved: Path) -> None:
    """Frames are filled up to a multiple of 32 with zeros, as in RVC, and left out again."""
    tracker, audio = Rmvpe.load(saved), noise(1, 31 * 160)
    mels = tracker.mels(audio)
    assert mels.shape[1] == 32
    assert torch.equal(tracker.salience(audio), tracker._network(mels))
    one_more = tracker.mels(noise(1, 32 * 160))
    filled = torch.cat((one_more, torch.zeros(1, 31, 128)), 1)
    assert torch.allclose(tracker.salience(noise(1, 32 * 160)), tracker._network(filled)[:, :33])


def test_what_is_too_short_is_refused(saved: Path) -> None:
    tracker = Rmvpe.load(saved)
    with pytest.raises(AudioTooShort):
        tracker.track(noise(1, 512))
    assert tracker.track(noise(1, 513)).shape == (1, 4)


def test_half_precision_and_missing_counters(network: RmvpeNetwork, tmp_path: Path) -> None:
    state = {k: v.half() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "half.pt")
    salience = Rmvpe.load(tmp_path / "half.pt").salience(noise(1, 4_000))
    assert (salience - Rmvpe(network).salience(noise(1, 4_000))).abs().max() < 1e-2


def test_other_files_are_refused(network: RmvpeNetwork, saved: Path, tmp_path: Path) -> None:
    state, path = network.state_dict(), tmp_path / "bad.pt"
    for loaded in (
        {},
        {"model": state},
        {**state, "more": torch.zeros(1)},
        {k: v for k, v in state.items() if k != "cnn.bias"},
        {**state, "cnn.bias": torch.zeros(4)},
        {**state, "cnn.bias": torch.full((3,), torch.inf)},
    ):
        torch.save(loaded, path)
        with pytest.raises(WeightsCorrupt):
            Rmvpe.load(path)
    path.write_bytes(saved.read_bytes()[:-200])
    with pytest.raises(WeightsCorrupt):
        Rmvpe.load(path)
