import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.errors import WeightsCorrupt
from pipeline.weights.torch_file import Inert, fill, load_torch, tensors_of

MB = 1 << 20


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("zipped", [True, False])
def test_plain_things_are_read(zipped: bool, path: Path) -> None:
    torch.save({"a": torch.arange(3.0), "n": 1, "s": ["x"]}, path, _use_new_zipfile_serialization=zipped)
    loaded = load_torch(path, MB)
    assert torch.equal(loaded["a"], torch.arange(3.0))
    assert (loaded["n"], loaded["s"]) == (1, ["x"])


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_runs(zipped: bool, path: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    torch.save({"a": torch.zeros(3), "b": Hostile(mark)}, path, _use_new_zipfile_serialization=zipped)
    for inert in ((), ("pathlib.Path",)):
        with pytest.raises(WeightsCorrupt):
            load_torch(path, MB, inert)
    path.write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(WeightsCorrupt):
        load_torch(path, MB)
    assert not mark.exists()


def test_named_classes_become_inert(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("elsewhere")
    made = type("Thing", (), {"__module__": "elsewhere"})
    module.Thing = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    thing = made()
    thing.number = 3
    torch.save({"thing": thing, "a": torch.zeros(1)}, path)
    monkeypatch.delitem(sys.modules, "elsewhere")
    with pytest.raises(WeightsCorrupt, match="cannot be read"):
        load_torch(path, MB)
    found = load_torch(path, MB, ("elsewhere.Thing",))["thing"]
    assert isinstance(found, Inert)
    assert not hasattr(found, "number")


def test_files_that_are_or_become_too_large_are_refused(path: Path, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(MB)}, path)
    assert load_torch(path, 5 * MB)["a"].shape == (MB,)
    with pytest.raises(WeightsCorrupt, match="more than 1 MB"):
        load_torch(path, MB)
    bomb = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in whole.infolist():
            packed.writestr(entry.filename, whole.read(entry))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(WeightsCorrupt, match="more than 1 MB"):
        load_torch(bomb, MB)


def test_no_mutation_does_more_than_be_refused(path: Path) -> None:
    rng = np.random.default_rng(2)
    torch.save({"a": torch.zeros(20), "b": {"c": [1, 2.5, "x"]}}, path)
    whole, taken = path.read_bytes(), 0
    for _ in range(400):
        spoilt = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            spoilt[int(rng.integers(0, len(spoilt)))] = int(rng.integers(0, 256))
        path.write_bytes(
            bytes(spoilt[: int(rng.integers(1, len(spoilt) + 1))] if rng.random() < 0.3 else spoilt)
        )
        try:
            load_torch(path, MB)
        except WeightsCorrupt:
            continue
        taken += 1
    assert 0 < taken < 400


def test_folders_and_nothing_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(WeightsCorrupt, match="cannot be read"):
            load_torch(path, MB)


@pytest.mark.parametrize(
    "loaded",
    [
        None,
        {},
        [torch.zeros(1)],
        {"a": 1},
        {1: torch.zeros(1)},
        {"a": torch.zeros(2, 2).to_sparse()},
        {"a": torch.zeros(1, dtype=torch.complex64)},
        {"a": torch.zeros(1, device="meta")},
    ],
)
def test_only_plain_tensors_by_name_are_a_network(loaded: object, path: Path) -> None:
    with pytest.raises(WeightsCorrupt):
        tensors_of(path, loaded)


def test_a_network_is_filled_exactly(path: Path) -> None:
    with torch.device("meta"):
        empty = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    whole = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval()
    state = whole.state_dict()
    for spoilt in (
        {k: v for k, v in state.items() if k != "0.bias"},
        {**state, "more": torch.zeros(1)},
        {**state, "0.bias": torch.zeros(1).expand(1 << 40)},
        {**state, "0.bias": torch.tensor([1.0, torch.nan, 1.0])},
    ):
        with pytest.raises(WeightsCorrupt, match=r"weights\.pt"):
            fill(path, empty, spoilt)
    fill(path, empty, {k: v.half() if v.is_floating_point() else v for k, v in state.items()})
    x = torch.randn(4, 2)
    assert torch.allclose(empty(x), whole(x), atol=1e-2)
    assert not empty.training
    assert not any(p.requires_grad for p in empty.parameters())
    assert empty[0].weight.dtype == torch.float32
