import hashlib
import json
import sys
import types
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bench.untrained import content_vec_state, write_content_vec
from pipeline import content_vec, weights
from pipeline.content_vec import ContentVec, convert
from pipeline.content_vec.names import FAIRSEQ, Sizes
from pipeline.errors import WeightsCorrupt
from tests.offered import offered

SMALL = Sizes(32, 16, (8,) * 7, 4, 64, 8, 4)
WORDS = (  # from Hugging Face's names to fairseq's, for each tensor of a network
    ("feature_projection.layer_norm", "layer_norm"),
    ("feature_projection.projection", "post_extract_proj"),
    ("encoder.pos_conv_embed.conv", "encoder.pos_conv.0"),
    (".attention.", ".self_attn."),
    (".feed_forward.intermediate_dense", ".fc1"),
    (".feed_forward.output_dense", ".fc2"),
    (".conv.weight", ".0.weight"),
    ("conv_layers.0.layer_norm", "conv_layers.0.2"),
)


def fairseq_state(sizes: Sizes = SMALL) -> dict[str, torch.Tensor]:
    state = {}
    for key, tensor in content_vec_state(sizes).items():
        name = key
        if name.startswith("encoder.layers.") and ".layer_norm." in name:
            name = name.replace(".layer_norm.", ".self_attn_layer_norm.")
        for ours, theirs in WORDS:
            name = name.replace(ours, theirs)
        state[name] = tensor
    return {**state, "mask_emb": torch.zeros(sizes.hidden), "label_embs_concat": torch.zeros(504, 16)}


@pytest.fixture
def dictionary(monkeypatch: pytest.MonkeyPatch) -> type:
    """A class that pickles under the name of fairseq's, and cannot be had when it is read."""
    for name in ("fairseq", "fairseq.data", "fairseq.data.dictionary"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    made = type("Dictionary", (), {"__module__": "fairseq.data.dictionary"})
    sys.modules["fairseq.data.dictionary"].Dictionary = made  # type: ignore[attr-defined]
    return made


@pytest.fixture
def published(dictionary: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path, entry = tmp_path / "hubert_base.pt", dictionary()
    entry.symbols = ["<s>", "0"]
    cfg = {"task": {"normalize": False}, "model": {"encoder_attention_heads": 4}}
    whole = {"args": None, "cfg": cfg, "model": fairseq_state(), "task_state": {"dictionaries": [entry]}}
    torch.save({**whole, "extra_state": {"epoch": 1}, "last_optimizer_state": None}, path)
    for name in ("fairseq", "fairseq.data", "fairseq.data.dictionary"):
        monkeypatch.delitem(sys.modules, name)
    return path


def encoded(folder: Path) -> torch.Tensor:
    audio = 0.1 * torch.randn(1, 4_000, generator=torch.Generator().manual_seed(2))
    return ContentVec.load(folder, hidden=32, projected=16).encode(audio, "v1")


def test_every_tensor_has_a_name() -> None:
    assert len(FAIRSEQ) == 13
    assert len(fairseq_state()) == 7 + 2 + 2 + 2 + 3 + 2 + 12 * 16 + 2 + 2


def test_the_converted_folder_is_the_same_network(published: Path, tmp_path: Path) -> None:
    convert(published, tmp_path / "made")
    direct = write_content_vec(tmp_path / "direct", SMALL)
    assert torch.equal(encoded(tmp_path / "made"), encoded(direct))
    assert sorted(p.name for p in (tmp_path / "made").iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    assert "label_embs_concat" not in load_file(tmp_path / "made" / "model.safetensors")
    assert json.loads((tmp_path / "made" / "preprocessor_config.json").read_text())["do_normalize"] is False


def test_transformers_reads_the_converted_folder(published: Path, tmp_path: Path) -> None:
    hub = pytest.importorskip("transformers")
    convert(published, tmp_path / "made")
    model = hub.HubertModel.from_pretrained(tmp_path / "made", local_files_only=True).eval()
    audio = 0.1 * torch.randn(1, 4_000, generator=torch.Generator().manual_seed(2))
    expected = ContentVec.load(tmp_path / "made", hidden=32, projected=16).encode(audio, "v2")
    with torch.no_grad():
        assert torch.allclose(model(audio).last_hidden_state, expected, atol=1e-5)


def test_a_task_that_normalises_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "hubert.pt"
    torch.save({"cfg": {"task": {"normalize": True}}, "model": fairseq_state()}, path)
    convert(path, tmp_path / "made")
    assert json.loads((tmp_path / "made" / "preprocessor_config.json").read_text())["do_normalize"] is True


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


def test_other_files_are_refused_and_nothing_runs(published: Path, tmp_path: Path) -> None:
    made, path, mark = tmp_path / "made", tmp_path / "bad.pt", tmp_path / "ran"
    state = fairseq_state()
    for loaded in (
        {"model": state, "cfg": Hostile(mark)},
        {"weight": state},
        {"model": {**state, "surprise": torch.zeros(1)}},
        {"model": {k: v for k, v in state.items() if not k.startswith("encoder.layers.11.")}},
        {"model": {k: v for k, v in state.items() if k != "encoder.layers.4.fc1.bias"}},
        {"model": {**state, "encoder.layers.4.fc1.bias": torch.zeros(3)}},
        {"model": {**state, "encoder.layer_norm.weight": torch.tensor(1.0)}},
        {"model": {**state, "layer_norm.weight": [1]}},
    ):
        torch.save(loaded, path)
        with pytest.raises(WeightsCorrupt):
            convert(path, made)
    whole = published.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        with pytest.raises(WeightsCorrupt):
            convert(path, made)
    assert not made.exists()
    assert not mark.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.pt", "hubert_base.pt"]


def test_it_is_downloaded_verified_and_converted_once(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, models = published.read_bytes(), tmp_path / "models"
    known = weights.DOWNLOADS["contentvec"]
    told: list[int] = []
    with offered({"/hubert_base.pt": content}) as (address, asked):
        digest = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(
            weights.DOWNLOADS,
            "contentvec",
            weights.Download("contentvec", known.file_name, "", "MIT", f"{address}/hubert_base.pt", digest),
        )
        for _ in range(2):
            folder = content_vec.fetch(models, lambda done, total: told.append(done))
    assert folder == content_vec.find(models)
    assert asked == ["/hubert_base.pt"]
    assert told[-1] == len(content)
    assert not list(models.rglob("*.pt"))
    assert encoded(folder).shape[2] == 16
