from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.converters.rvc.architecture import VoiceModelUnusable
from pipeline.converters.rvc.checkpoint import load_checkpoint
from pipeline.converters.rvc.index_file import read_index
from pipeline.converters.rvc.stored import load_index, read_checkpoint, save_checkpoint, save_index
from pipeline.errors import WeightsCorrupt
from tests.checkpoints import write
from tests.pipeline.converters.rvc.indices import make
from tests.pipeline.converters.rvc.test_checkpoint import SIZES


@pytest.mark.parametrize("size", SIZES[:2], ids=["v2", "v1"])
def test_a_model_that_is_stored_is_the_same(tmp_path: Path, size: object) -> None:
    first = load_checkpoint(write(tmp_path / "voice.pth", size))  # type: ignore[arg-type]
    save_checkpoint(tmp_path / "model.safetensors", first)
    second = read_checkpoint(tmp_path / "model.safetensors")
    assert (second.architecture, second.info) == (first.architecture, first.info)
    assert second.stored.keys() == first.stored.keys()
    for name, tensor in first.stored.items():
        assert second.stored[name].dtype == tensor.dtype == torch.float16
        assert torch.equal(second.stored[name], tensor)
    before, after = first.synthesiser().state_dict(), second.synthesiser().state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (tmp_path / "model.safetensors").stat().st_size < (tmp_path / "voice.pth").stat().st_size


def test_an_index_that_is_stored_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(make().bytes())
    first = read_index(tmp_path / "index", 8)
    save_index(tmp_path / "index.safetensors", first)
    second = load_index(tmp_path / "index.safetensors", 8)
    assert second.probes == first.probes
    for name in ("centroids", "vectors", "ids", "starts"):
        assert np.array_equal(getattr(second, name), getattr(first, name))
        assert getattr(second, name).dtype == getattr(first, name).dtype
    with pytest.raises(WeightsCorrupt, match="another kind"):
        load_index(tmp_path / "index.safetensors", 9)


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, load_checkpoint(write(tmp_path / "voice.pth")))
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-1], whole.replace(b"autovoice-rvc-1", b"autovoice-rvc-9")):
        path.write_bytes(damaged)
        with pytest.raises(VoiceModelUnusable, match="damaged"):
            read_checkpoint(path)
    for metadata in ({}, {"config": "[1"}, {"config": "[1]", "version": "v2", "f0": "1"}):
        save_file({"emb_g.weight": torch.zeros(2, 2)}, path, {"format": "autovoice-rvc-1"} | metadata)
        with pytest.raises(VoiceModelUnusable):
            read_checkpoint(path)
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("centroids", torch.zeros(4, 8)),
        ("vectors", torch.full((60, 8), torch.nan)),
        ("ids", torch.zeros(59, dtype=torch.int64)),
        ("starts", torch.zeros(6, dtype=torch.int64)),
        ("starts", torch.tensor([0, 70, 20, 30, 40, 60])),
        ("starts", torch.zeros(6)),
        ("probes", "0"),
        ("probes", "x"),
    ],
)
def test_damaged_indices_are_refused(tmp_path: Path, name: str, value: torch.Tensor | str) -> None:
    (tmp_path / "index").write_bytes(make().bytes())
    index = read_index(tmp_path / "index", 8)
    tensors = {n: torch.from_numpy(getattr(index, n)) for n in ("centroids", "vectors", "ids", "starts")}
    metadata = {"format": "autovoice-rvc-index-1", "probes": "1"}
    if isinstance(value, str):
        metadata[name] = value
    else:
        tensors[name] = value
    save_file(tensors, tmp_path / "index.safetensors", metadata)
    with pytest.raises(WeightsCorrupt):
        load_index(tmp_path / "index.safetensors", 8)
