"""Every tracker of songs on one grid; the optional ones only where their weights are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import weights
from pipeline.errors import WeightsUnavailable
from pipeline.pitch import trackers
from pipeline.pitch.names import TRACKERS
from pipeline.pitch.rmvpe import Rmvpe, RmvpeNetwork
from pipeline.pitch.trackers import open_tracker
from pipeline.synthetic import rest, sing, vibrato

RATE = 16_000


def sung() -> tuple[np.ndarray, np.ndarray]:
    line = np.concatenate([vibrato(hz, 1.5, RATE) for hz in (220, 330, 165)] + [rest(1.0, RATE)])
    return line, sing(line, RATE, np.random.default_rng(1)).astype(np.float32)


def fetched(name: str, models_dir: Path) -> None:
    try:
        weights.fetch(name, models_dir)
    except WeightsUnavailable as problem:
        pytest.skip(str(problem))


@pytest.mark.parametrize("name", ["swiftf0", "fcpe"])
def test_a_melody_is_followed_every_16_ms(name: str, models_dir: Path) -> None:
    fetched(name, models_dir)
    line, sound = sung()
    found = open_tracker(name, models_dir)(sound)
    truth = line[np.minimum(np.round(found.times_s * RATE).astype(int), len(line) - 1)]
    both = (found.f0_hz > 0) & (truth > 0)
    assert both.sum() > 0.95 * (truth > 0).sum()
    assert np.median(1200 * np.abs(np.log2(found.f0_hz[both] / truth[both]))) < 10
    assert len(found.f0_hz) == len(found.confidence) == len(found.times_s)


def test_those_that_are_optional_are_asked_for_by_name(tmp_path: Path, models_dir: Path) -> None:
    (tmp_path / "swift-f0-0.3.0.onnx").symlink_to(weights.fetch("swiftf0", models_dir))
    for name in TRACKERS[1:]:
        with pytest.raises(WeightsUnavailable) as caught:
            open_tracker(name, tmp_path)
        assert f"run: autovoice weights {name}" in caught.value.suggestions


def test_rmvpe_takes_what_is_short(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights cannot be had here: a network with random ones stands in for them."""
    monkeypatch.setattr(trackers.weights, "find", lambda name, folder: tmp_path / "rmvpe.pt")
    torch.manual_seed(1)
    torch.save(RmvpeNetwork().eval().state_dict(), tmp_path / "rmvpe.pt")
    assert Rmvpe.load(tmp_path / "rmvpe.pt")
    found = open_tracker("rmvpe", models_dir)(np.zeros(300, np.float32))
    assert not found.f0_hz.any()
