from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.converters.rvc import retrieval as module
from pipeline.converters.rvc.retrieval import Retrieval
from pipeline.errors import WeightsCorrupt
from tests.pipeline.converters.rvc.indices import Made, make


def load(tmp_path: Path, made: Made) -> Retrieval:
    path = tmp_path / "added.index"
    path.write_bytes(made.bytes())
    return Retrieval.load(path, made.centroids.shape[1])


def queries(count: int, dims: int = 8, seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dims)).astype(np.float32)


@pytest.mark.parametrize("probes", [1, 3])
def test_the_nearest_of_the_nearest_lists_are_found(probes: int, tmp_path: Path) -> None:
    made, asked = make(count=200), queries(40)
    made.probes = probes
    squared, ids = load(tmp_path, made).search(torch.from_numpy(asked), 8)
    for query, distances, found in zip(asked, squared.numpy(), ids.numpy(), strict=True):
        lists = np.argsort(((made.centroids - query) ** 2).sum(1))[:probes]
        vectors = np.concatenate([made.lists[i][0] for i in lists])
        numbers = np.concatenate([made.lists[i][1] for i in lists])
        exact = ((vectors - query) ** 2).sum(1)
        order = np.argsort(exact)[:8]
        assert found.tolist() == numbers[order].tolist()
        assert np.allclose(distances, exact[order], rtol=1e-5)


@pytest.mark.parametrize("at_once", [1, 5_000, 1 << 24])
def test_search_is_that_of_faiss(at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(1)
    monkeypatch.setitem(module.AT_ONCE, "cpu", at_once)
    rng = np.random.default_rng(3)
    path = tmp_path / "added.index"
    vectors = np.repeat(rng.standard_normal((30, 256)), 20, 0) + 0.3 * rng.standard_normal((600, 256))
    made = faiss.index_factory(256, "IVF15,Flat")
    made.train(vectors.astype(np.float32))
    made.add(vectors.astype(np.float32))
    faiss.write_index(made, str(path))
    asked = (vectors[rng.integers(0, 600, 50)] + 0.2 * rng.standard_normal((50, 256))).astype(np.float32)
    expected, numbers = faiss.read_index(str(path)).search(asked, 8)
    squared, ids = Retrieval.load(path, 256).search(torch.from_numpy(asked), 8)
    assert np.array_equal(ids.numpy(), numbers)
    held = numbers >= 0
    assert np.allclose(squared.numpy()[held], expected[held], rtol=1e-5)
    weights = np.square(1 / expected)
    weights /= weights.sum(1, keepdims=True)
    mixed = (vectors.astype(np.float32)[numbers] * weights[:, :, None]).sum(1)
    blended = Retrieval.load(path, 256).blend(torch.from_numpy(asked).reshape(2, 25, 256), 0.75)
    assert np.allclose(blended.reshape(50, 256).numpy(), 0.75 * mixed + 0.25 * asked, atol=1e-5)


def test_lists_that_hold_fewer_are_filled_up(tmp_path: Path) -> None:
    made = make(count=10, lists=3)
    squared, ids = load(tmp_path, made).search(torch.from_numpy(queries(20)), 8)
    assert ((ids == -1) == squared.isinf()).all()
    assert (ids == -1).any()
    assert (ids[:, 0] >= 0).all()
    assert (squared.diff(dim=1).nan_to_num(posinf=0) >= 0).all()


def test_rate_and_weights(tmp_path: Path) -> None:
    found, features = load(tmp_path, make()), torch.from_numpy(queries(12)).reshape(3, 4, 8)
    assert torch.equal(found.blend(features, 0.0), features)
    whole = found.blend(features, 1.0)
    assert not torch.allclose(whole, features)
    each = found.blend(features, torch.tensor([0.0, 0.5, 1.0]))
    assert torch.equal(each[0], features[0])
    assert torch.allclose(each[1], (features[1] + whole[1]) / 2, atol=1e-6)
    assert torch.allclose(each[2], whole[2], atol=1e-6)
    half = found.blend(features.half(), 1.0)
    assert half.dtype == torch.float16
    assert torch.allclose(half.float(), whole, atol=1e-2)
    assert found.blend(features[:, :0], 0.5).shape == (3, 0, 8)


def test_distance_zero_is_its_own_neighbour(tmp_path: Path) -> None:
    made = make()
    vectors = np.concatenate([vectors for vectors, _ in made.lists])
    features = torch.from_numpy(vectors[:10]).unsqueeze(0)
    assert torch.allclose(load(tmp_path, made).blend(features, 1.0), features, atol=1e-6)
    made.lists = [(vectors * 0, ids) for vectors, ids in made.lists]  # all at distance 0
    assert torch.equal(load(tmp_path, made).blend(torch.zeros(1, 3, 8), 1.0), torch.zeros(1, 3, 8))


def test_an_empty_list_leaves_features_as_they_are(tmp_path: Path) -> None:
    made = make()
    assert not len(made.lists[-1][1])
    features = torch.from_numpy(made.centroids[-1:].copy()).unsqueeze(0)
    assert torch.equal(load(tmp_path, made).blend(features, 1.0), features)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "added.index"
    path.write_bytes(make().bytes()[:-1])
    with pytest.raises(WeightsCorrupt):
        Retrieval.load(path, 8)
