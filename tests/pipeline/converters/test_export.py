"""The network as an ONNX file, run by ONNX Runtime, against torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from pipeline import onnx
from pipeline.converters.native.export import CLOSE, ExportFailed, FrameStep, difference, example, export
from pipeline.converters.native.weights import load_weights
from pipeline.tensorrt import EngineUnavailable, build_engine


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "native.onnx"
    export(load_weights().net, path)
    return path


@pytest.mark.parametrize("rows", [1, 2, 11])
def test_any_number_of_streams_is_rendered_as_torch_does(file: Path, rows: int) -> None:
    assert difference(load_weights().net, file, rows) < CLOSE


def test_one_file_holds_it_all_and_says_what_goes_in(file: Path) -> None:
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    session = onnx.open_session(file)
    step = FrameStep(load_weights().net)
    given = example(step, 1, 1)
    assert [entry.name for entry in session.get_inputs()] == list(given)
    for entry in session.get_inputs():
        assert entry.shape[0] == "rows"
        assert tuple(entry.shape[1:]) == tuple(given[entry.name].shape[1:]), entry.name
    assert session.get_outputs()[0].name == "rendered"


def test_another_network_is_told_apart(file: Path) -> None:
    import copy

    net = copy.deepcopy(load_weights().net)
    with torch.no_grad():
        net.decoder.last[1].bias += 0.01
    assert difference(net, file) > CLOSE


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "native.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(ExportFailed, match="refuses"):
        difference(load_weights().net, path)


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_without_tensorrt_it_says_what_is_missing(file: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="not installed"):
        build_engine(file, tmp_path / "native.engine", 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_an_engine_is_built(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt")
    build_engine(file, tmp_path / "native.engine", 8)
    assert (tmp_path / "native.engine").stat().st_size > 1e6
