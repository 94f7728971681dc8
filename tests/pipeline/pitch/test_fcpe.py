from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import weights
from pipeline.errors import WeightsCorrupt, WeightsUnavailable
from pipeline.pitch import fcpe
from pipeline.pitch.fcpe import Fcpe
from pipeline.synthetic import glide, rest, sing, vibrato

REFERENCE = Path(__file__).parent / "fcpe_reference.npz"


@pytest.fixture(scope="module")
def file() -> Path:
    folder = Path.home() / ".local" / "share" / "autovoice" / "models"
    try:
        return weights.fetch("fcpe", folder)
    except WeightsUnavailable as problem:
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def tracker(file: Path) -> Fcpe:
    return Fcpe.load(file)


def heard() -> torch.Tensor:
    """(1, 40000) two seconds of a glide, a pause, and noise throughout; the same on every machine."""
    f0 = np.concatenate([np.geomspace(90, 700, 32_000), np.zeros(8_000)])
    phase = 2 * np.pi * np.cumsum(f0) / 16_000
    voice = sum(np.sin(k * phase) / k * (f0 * k < 7_000) for k in range(1, 20)) * (f0 > 0)
    noise = np.random.default_rng(4).standard_normal(len(f0))
    return torch.from_numpy((0.1 * voice + 0.003 * noise).astype(np.float32)).unsqueeze(0)


def test_pitches_are_those_that_torchfcpe_gave(tracker: Fcpe) -> None:
    """Of torchfcpe 0.0.4 on `heard()`; made by `test_pitches_are_those_of_torchfcpe`'s first lines."""
    expected = np.load(REFERENCE)["f0_hz"]
    found = tracker.track(heard())[0].numpy()
    assert found.shape == expected.shape == (251,)
    assert ((found > 0) == (expected > 0)).all()
    assert np.abs(found - expected).max() < 0.02
    assert (expected > 0).mean() > 0.7


@pytest.mark.parametrize("samples", [100, 1_023, 1_024, 1_500, 40_000])
def test_pitches_are_those_of_torchfcpe(samples: int, tracker: Fcpe) -> None:
    package = pytest.importorskip("torchfcpe")
    audio = heard()[:, :samples]
    reference = package.spawn_bundled_infer_model("cpu")
    expected = reference(audio.unsqueeze(2), 16_000).squeeze(2)
    assert torch.allclose(tracker.mels(audio), reference.wav2mel(audio.unsqueeze(2), 16_000), atol=1e-3)
    assert torch.allclose(tracker.track(audio), expected, atol=0.01)


def test_synthetic_singing_is_followed_to_a_few_cents(tracker: Fcpe) -> None:
    line = np.concatenate(
        [vibrato(220, 1.0, 16_000), rest(0.4, 16_000), glide(80, 800, 2.0, 16_000), rest(0.4, 16_000)]
    )
    audio = sing(line, 16_000, np.random.default_rng(1), snr_db=30)
    found = tracker.track(torch.from_numpy(audio).unsqueeze(0))[0].numpy()
    truth = line[np.clip(fcpe.HOP * np.arange(len(found)), 0, len(line) - 1)]
    both = (found > 0) & (truth > 0)
    assert both.sum() > 0.95 * (truth > 0).sum()
    cents = np.abs(1200 * np.log2(found[both] / truth[both]))
    assert np.median(cents) < 3
    assert np.mean(cents > 50) < 0.02


def test_rows_and_silence(tracker: Fcpe) -> None:
    audio = torch.cat((heard()[:, 8_000:16_000], torch.zeros(1, 8_000)))
    found = tracker.track(audio)
    assert found.shape == (2, 51)
    assert torch.allclose(found[:1], tracker.track(audio[:1]), atol=0.01)
    assert not found[1].any()
    assert tracker.track(torch.zeros(2, 0)).tolist() == [[0.0], [0.0]]


def test_other_files_are_refused(file: Path, tmp_path: Path) -> None:
    whole, path = torch.load(file, "cpu", weights_only=True), tmp_path / "bad.pt"
    model, config = whole["model"], whole["config_dict"]
    attentive = {**config, "model": {**config["model"], "conv_only": False}}
    for loaded in (
        [],
        {"model": model},
        {"model": model, "config_dict": attentive},
        {"model": {**model, "norm.bias": torch.zeros(3)}, "config_dict": config},
        {"model": {**model, "output_proj.weight_g": torch.zeros(3)}, "config_dict": config},
        {"model": {k: v for k, v in model.items() if k != "cent_table"}, "config_dict": config},
        {"config_dict": config},
    ):
        torch.save(loaded, path)
        with pytest.raises(WeightsCorrupt):
            Fcpe.load(path)
    path.write_bytes(file.read_bytes()[:1_000_000])
    with pytest.raises(WeightsCorrupt):
        Fcpe.load(path)
