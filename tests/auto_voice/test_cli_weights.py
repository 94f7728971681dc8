import hashlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auto_voice.cli import app
from auto_voice.cli_weights import OPTIONAL, unused
from auto_voice.settings import SettingsError
from pipeline import weights
from pipeline.errors import WeightsCorrupt, WeightsUnavailable
from tests.offered import offered


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights that needs none."""
    monkeypatch.setattr(weights, "REQUIRED", ())
    monkeypatch.setenv("AUTOVOICE_STORAGE__MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


def run(*arguments: str) -> Exception | None:
    found = CliRunner().invoke(app, ["weights", *arguments]).exception
    assert found is None or isinstance(found, Exception)
    return found


def offer(name: str, url: str, sha256: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = weights.DOWNLOADS[name]
    file = weights.Download(name, known.file_name, known.description, known.licence, url, sha256)
    monkeypatch.setitem(weights.DOWNLOADS, name, file)


def test_nothing_optional_is_fetched_unasked(folder: Path) -> None:
    assert run() is None
    assert not folder.exists()
    for name in ("fcpe", *weights.DOWNLOADS):
        assert name in OPTIONAL
        with pytest.raises(WeightsUnavailable) as caught:
            weights.find(name, folder)
        assert caught.value.suggestions == [f"run: autovoice weights {name}"]


def test_a_file_is_fetched_by_name_and_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 5_000
    with offered({"/rmvpe.pt": content}) as (address, asked):
        offer("rmvpe", f"{address}/rmvpe.pt", hashlib.sha256(content).hexdigest(), monkeypatch)
        assert run("rmvpe") is None
        assert run("rmvpe") is None
    assert asked == ["/rmvpe.pt"]
    assert weights.find("rmvpe", folder).read_bytes() == content
    assert unused(folder) == ([], [])
    (folder / "contentvec").mkdir()
    (folder / "contentvec" / "model.safetensors").write_bytes(b"")
    (folder / "stray").write_bytes(b"")
    assert unused(folder) == ([], [folder / "stray"])


def test_something_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with offered({"/rmvpe.pt": b"other", "/hubert_base.pt": b"other"}) as (address, _):
        offer("rmvpe", f"{address}/rmvpe.pt", "0" * 64, monkeypatch)
        offer("contentvec", f"{address}/hubert_base.pt", "0" * 64, monkeypatch)
        for name in ("rmvpe", "contentvec"):
            assert isinstance(run(name), WeightsCorrupt)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_unknown_names_are_refused_before_anything_is_fetched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with offered({}) as (address, asked):
        offer("rmvpe", f"{address}/rmvpe.pt", "0" * 64, monkeypatch)
        problem = run("rmvpe", "nothing")
    assert isinstance(problem, SettingsError)
    assert "contentvec" in problem.suggestions[0]
    assert asked == []
    assert not folder.exists()
