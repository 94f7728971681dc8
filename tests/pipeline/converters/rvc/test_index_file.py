import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.converters.rvc.index_file import read_index
from pipeline.errors import WeightsCorrupt
from tests.pipeline.converters.rvc.indices import Made, make


def read(path: Path, made: Made | bytes, dims: int = 8) -> None:
    path.write_bytes(made if isinstance(made, bytes) else made.bytes())
    read_index(path, dims)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "added_IVF5_Flat.index"


@pytest.mark.parametrize("form", [b"full", b"sprs"])
@pytest.mark.parametrize("flat", [b"IxF2", b"IxFl"])
@pytest.mark.parametrize("mapped", [(0, b""), (1, b"\0" * 480), (2, b"")])
def test_all_that_was_written_is_read(form: bytes, flat: bytes, mapped: tuple[int, bytes], path: Path) -> None:
    made = make()
    made.form, made.flat, made.probes = form, flat, 3
    made.mapped = struct.pack("<bQ", mapped[0], len(mapped[1]) // 8) + mapped[1]
    if mapped[0] == 2:
        made.mapped += struct.pack("<Q", 2) + bytes(32)
    path.write_bytes(made.bytes())
    index = read_index(path, 8)
    assert np.array_equal(index.centroids, made.centroids)
    assert np.array_equal(index.vectors, np.concatenate([vectors for vectors, _ in made.lists]))
    assert np.array_equal(index.ids, np.concatenate([ids for _, ids in made.lists]))
    assert index.starts.tolist() == [0, *np.cumsum([len(ids) for _, ids in made.lists]).tolist()]
    assert index.probes == 3


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("kind", b"IwPQ", "kind IVF, Flat"),
        ("kind", b"PK\3\4", "kind IVF, Flat"),
        ("flat", b"IxPq", "plain centroids"),
        ("metric", 0, "as RVC does"),
        ("metric", 23, "as RVC does"),
        ("form", b"xxxx", "sizes"),
        ("stored", b"il00", "not in the file"),
        ("stored", b"ilod", "not in the file"),
        ("probes", 0, "no lists"),
        ("mapped", struct.pack("<bQ", 7, 0), "damaged"),
    ],
)
def test_other_kinds_are_refused_with_the_reason(field: str, value: object, why: str, path: Path) -> None:
    made = make()
    setattr(made, field, value)
    with pytest.raises(WeightsCorrupt, match=why) as caught:
        read(path, made)
    assert "added_" in caught.value.suggestions[0]


def test_a_trained_index_without_features_is_refused(path: Path) -> None:
    made = make()
    made.lists = [(vectors[:0], ids[:0]) for vectors, ids in made.lists]
    with pytest.raises(WeightsCorrupt, match="trained_"):
        read(path, made)


def test_features_of_another_size_are_refused(path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="8 dimensions, those of this voice 768"):
        read(path, make(), 768)


def test_every_shorter_and_longer_file_is_refused(path: Path) -> None:
    whole = make(4, 2, 6, empty=0).bytes()
    read(path, whole, 4)
    for length in range(len(whole)):
        with pytest.raises(WeightsCorrupt):
            read(path, whole[:length], 4)
    with pytest.raises(WeightsCorrupt, match="follows"):
        read(path, whole + b"\0", 4)


def test_numbers_that_ask_for_memory_ask_in_vain(path: Path) -> None:
    """Each count of the file, made huge: nothing may be allocated for it."""
    whole = make(4, 2, 6, empty=0).bytes()
    places = [8, 37, 61, 90, 131, 143, 151, 163, 171, 179]
    for place in places:
        for huge in (1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 61) + 2):
            with pytest.raises(WeightsCorrupt):
                read(path, whole[:place] + struct.pack("<Q", huge) + whole[place + 8 :], 4)


def test_no_mutation_does_more_than_be_refused(path: Path) -> None:
    rng = np.random.default_rng(5)
    whole = make(4, 3, 20).bytes()
    taken = 0
    for _ in range(1_500):
        spoilt = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, len(spoilt)))
            match int(rng.integers(0, 4)):
                case 0:
                    spoilt[at] = int(rng.integers(0, 256))
                case 1:
                    spoilt[at : at + 8] = rng.bytes(8)
                case 2:
                    del spoilt[at : at + int(rng.integers(1, 30))]
                case 3:
                    spoilt[at:at] = rng.bytes(int(rng.integers(1, 30)))
        path.write_bytes(bytes(spoilt))
        try:
            index = read_index(path, 4)
        except WeightsCorrupt:
            continue
        taken += 1  # only numbers were changed
        assert index.vectors.shape == (20, 4)
        assert np.isfinite(index.vectors).all()
        assert index.starts[-1] == 20
    assert 0 < taken < 1_000


def test_an_index_that_no_machine_could_search_in_time_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make()
    made.probes = 1 << 62  # more than there are lists: all of them
    read(path, made)
    monkeypatch.setattr("pipeline.converters.rvc.index_file.MOST_LOOKED", 60 * 8 * 4)
    with pytest.raises(WeightsCorrupt, match="too many"):
        read(path, made)


def test_numbers_that_are_none_are_refused(path: Path) -> None:
    made = make()
    made.lists[0][0][0, 0] = np.inf
    with pytest.raises(WeightsCorrupt, match="none"):
        read(path, made)


def test_a_folder_or_nothing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(WeightsCorrupt, match="cannot be read"):
            read_index(path, 8)


@pytest.mark.parametrize("dims", [256, 768])
def test_what_faiss_writes_is_read(dims: int, path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(1)
    vectors = np.random.default_rng(3).standard_normal((400, dims)).astype(np.float32)
    made = faiss.index_factory(dims, "IVF10,Flat")
    made.train(vectors)
    faiss.write_index(made, str(path))
    with pytest.raises(WeightsCorrupt, match="trained_"):
        read_index(path, dims)
    made.add(vectors)
    faiss.write_index(made, str(path))
    index = read_index(path, dims)
    assert np.array_equal(index.vectors[np.argsort(index.ids)], vectors)
    assert np.array_equal(index.centroids, made.quantizer.reconstruct_n(0, 10))


def test_what_is_written_here_is_what_faiss_reads(path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    for form in (b"full", b"sprs"):
        made = make()
        made.form = form
        path.write_bytes(made.bytes())
        index = faiss.read_index(str(path))
        assert index.ntotal == 60
        assert np.array_equal(index.quantizer.reconstruct_n(0, 5), made.centroids)
