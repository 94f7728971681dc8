"""Parity with the `demucs` package on random weights in its formats, and files that are not what they say."""

import json
import pickle
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import WeightsCorrupt, WeightsUnavailable
from pipeline.separation import choose_separator
from pipeline.separation.choose import find_demucs
from pipeline.separation.demucs_package import load_package
from pipeline.separation.htdemucs import HTDemucs
from tests.pipeline.separation.conftest import Song

demucs_apply = pytest.importorskip("demucs.apply", reason="the optional extra [demucs] is not installed")
demucs_htdemucs = pytest.importorskip("demucs.htdemucs")
demucs_states = pytest.importorskip("demucs.states")

SMALL: dict[str, Any] = {
    "sources": ["drums", "bass", "other", "vocals"],
    "audio_channels": 2,
    "samplerate": 44_100,
    "segment": Fraction(39, 20),
    "channels": 8,
    "bottom_channels": 32,
    "t_layers": 1,
    "t_heads": 2,
    "dconv_mode": 3,
    "cac": True,
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small HTDemucs with random weights, saved as the package saves its own."""
    torch.manual_seed(1)
    model = demucs_htdemucs.HTDemucs(**SMALL)
    state = {name: value.half() for name, value in model.state_dict().items()}
    content = {
        "klass": demucs_htdemucs.HTDemucs,
        "args": (),
        "kwargs": SMALL,
        "state": state,
        "training_args": {"a": 1},
    }
    folder = tmp_path_factory.mktemp("demucs")
    demucs_states.save_with_checksum(content, folder / "955717e8.th")
    return next(folder.glob("*.th"))


class Offsets:
    """The same random offsets for both."""

    def __init__(self) -> None:
        self.values: Iterator[int] = iter((5000, 100, 20_000))

    def randint(self, low: int, high: int) -> int:
        return next(self.values)


@pytest.mark.parametrize("shifts", [0, 1, 3])
@pytest.mark.parametrize("seconds", [0.7, 6.3])
def test_results_are_those_of_the_demucs_package(
    package: Path, shifts: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng: Any = Offsets()
    monkeypatch.setattr(demucs_apply, "random", Offsets())
    theirs = demucs_states.load_model(package).eval()
    sound = (np.random.default_rng(1).standard_normal((2, int(44_100 * seconds))) * 0.1).astype(np.float32)
    mixture = torch.from_numpy(sound)
    mono = mixture.mean(0)
    mean, deviation = mono.mean(), mono.std() + 1e-8
    with torch.no_grad():
        estimate = demucs_apply.apply_model(
            theirs, ((mixture - mean) / deviation)[None], shifts=shifts, overlap=0.25
        )
    expected = (estimate[0, 3] * deviation + mean).numpy()

    ours = HTDemucs("htdemucs", load_package(package), shifts=shifts, rng=rng)
    song = Song(sound)
    stems = list(ours.separate(song))
    vocals = np.concatenate([s.vocals for s in stems], 1)
    assert np.abs(vocals - expected).max() < 1e-4
    assert np.abs(expected).max() > 1e-3
    accompaniment = np.concatenate([s.accompaniment for s in stems], 1)
    assert np.abs(vocals + accompaniment - sound).max() < 1e-6


def test_safetensors_hold_the_same_model(package: Path, tmp_path: Path) -> None:
    theirs = demucs_states.load_model(package)
    path = tmp_path / "955717e8.safetensors"
    kwargs = {**SMALL, "segment": {"_type": "fraction", "numerator": 39, "denominator": 20}}
    metadata = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(kwargs)}
    save_file({k: v.contiguous() for k, v in theirs.state_dict().items()}, path, metadata)
    ours = load_package(path)
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    for change in (
        {"klass": "os.system"},
        {"structure": "{}"},
        {"kwargs": '{"channels": 1e12}'},
        {"args": "no json"},
    ):
        save_file({"a": torch.zeros(1)}, path, {**metadata, **change})
        with pytest.raises(WeightsCorrupt):
            load_package(path)


class Payload:
    """Would end the tests if it were executed."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("place", ["klass", "args", "kwargs", "state", "training_args"])
def test_code_in_a_package_never_runs(place: str, tmp_path: Path) -> None:
    content = {
        "klass": demucs_htdemucs.HTDemucs,
        "args": (),
        "kwargs": SMALL,
        "state": {},
        "training_args": {},
    } | {place: Payload()}
    torch.save(content, tmp_path / "x.th")
    with pytest.raises(WeightsCorrupt):
        load_package(tmp_path / "x.th")
    (tmp_path / "x.th").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(WeightsCorrupt):
        load_package(tmp_path / "x.th")


@pytest.mark.parametrize(
    "change",
    [
        {"channels": 10**9},
        {"segment": 10**7},
        {"nfft": float("inf")},
        {"t_layers": 10**6},
        {"sources": [["x"] * 100]},
    ],
)
def test_a_package_cannot_ask_for_a_giant(change: dict[str, Any], tmp_path: Path) -> None:
    content = {"klass": demucs_htdemucs.HTDemucs, "args": (), "kwargs": {**SMALL, **change}, "state": {}}
    torch.save(content, tmp_path / "x.th")
    with pytest.raises(WeightsCorrupt):
        load_package(tmp_path / "x.th")


def test_a_damaged_download_is_refused(package: Path, tmp_path: Path) -> None:
    damaged = tmp_path / package.name
    damaged.write_bytes(package.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsCorrupt, match="sha256"):
        load_package(damaged)


def test_weights_in_the_models_folder_are_used(package: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="955717e8"):
        find_demucs("955717e8", tmp_path)
    (tmp_path / "demucs").mkdir()
    (tmp_path / "demucs" / package.name).write_bytes(package.read_bytes())
    choice = choose_separator("htdemucs", tmp_path, shifts=2)
    assert choice.separator.name == "htdemucs"
    assert choice.note is None
    assert "shifts=2" in choice.identity


def test_without_weights_spleeter_serves_and_says_so(models_dir: Path) -> None:
    choice = choose_separator("htdemucs_ft", models_dir)
    if choice.separator.name == "htdemucs_ft":
        pytest.skip("the weights of htdemucs_ft are here")
    assert choice.separator.name == "spleeter"
    assert choice.note is not None
    assert "htdemucs_ft" in choice.note
    assert str(models_dir) not in choice.note
    with pytest.raises(KeyError):
        choose_separator("magic", models_dir)
