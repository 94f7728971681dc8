import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.untrained import content_vec_state, write_content_vec
from pipeline.content_vec import ContentVec, find
from pipeline.content_vec.encoder import frames_of
from pipeline.content_vec.names import POSITION, Sizes, empty, to_torchaudio
from pipeline.errors import AudioTooShort, WeightsCorrupt, WeightsUnavailable

SMALL = Sizes(32, 16, (8,) * 7, 4, 64, 8, 4)


def load(folder: Path) -> ContentVec:
    return ContentVec.load(folder, hidden=SMALL.hidden, projected=SMALL.projection)


def noise(rows: int, samples: int, seed: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(rows, samples, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_content_vec(tmp_path / "contentvec", SMALL)


def reference_of(sizes: Sizes) -> Any:
    hub = pytest.importorskip("transformers")
    config = {k: v for k, v in sizes.config().items() if k not in ("architectures", "model_type")}
    return hub.HubertModel(hub.HubertConfig(**config)).eval()


def test_a_network_of_full_size_has_the_tensors_of_transformers() -> None:
    with torch.device("meta"):
        reference = reference_of(Sizes()).state_dict()
    del reference["masked_spec_embed"]
    made, _ = to_torchaudio(reference)
    wanted = empty(Sizes()).state_dict()
    assert {k: v.shape for k, v in made.items()} == {k: v.shape for k, v in wanted.items()}
    assert sum(tensor.numel() for tensor in wanted.values()) == 94_370_816


def test_layers_are_those_of_transformers(tmp_path: Path) -> None:
    reference, state = reference_of(SMALL), content_vec_state(SMALL)
    current = {
        key.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): tensor
        for key, tensor in state.items()
    }
    missing, unknown = reference.load_state_dict(current, strict=False)
    assert missing == ["masked_spec_embed"]
    assert unknown == ["final_proj.weight", "final_proj.bias"]
    audio = noise(2, 8_000)
    with torch.no_grad():
        out = reference(audio, output_hidden_states=True)
    ninth = out.hidden_states[9] @ state["final_proj.weight"].T + state["final_proj.bias"]
    encoder = load(write_content_vec(tmp_path, SMALL))
    for version, expected in (("v1", ninth), ("v2", out.last_hidden_state)):
        found = encoder.encode(audio, version)  # type: ignore[arg-type]
        assert found.shape == expected.shape == (2, frames_of(8_000), expected.shape[2])
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
        assert expected.std() > 0.1


def test_a_frame_every_20_ms(folder: Path) -> None:
    encoder = load(folder)
    for samples in (400, 719, 720, 1_039, 1_040, 16_000, 16_079, 16_080):
        assert encoder.encode(noise(1, samples), "v2").shape == (1, frames_of(samples), 32)
    assert frames_of(16_000) == 49
    assert frames_of(399) == 0
    with pytest.raises(AudioTooShort, match="400"):
        encoder.encode(noise(1, 399), "v2")


def test_rows_do_not_hear_each_other(folder: Path) -> None:
    encoder, audio = load(folder), noise(3, 4_000)
    together = encoder.encode(audio, "v1")
    for row in range(3):
        assert torch.allclose(together[row], encoder.encode(audio[row : row + 1], "v1")[0], atol=1e-5)


@pytest.mark.parametrize(
    ("norm", "direction", "prefix"),
    [
        ("weight_g", "weight_v", "hubert."),
        ("parametrizations.weight.original0", "parametrizations.weight.original1", ""),
    ],
)
def test_all_spellings_of_a_folder_are_one_network(
    norm: str, direction: str, prefix: str, folder: Path, tmp_path: Path
) -> None:
    audio, other = noise(1, 2_000), tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text((folder / "config.json").read_text())
    state = load_file(folder / "model.safetensors")
    state[f"{POSITION}.{norm}"] = state.pop(f"{POSITION}.weight_g")
    state[f"{POSITION}.{direction}"] = state.pop(f"{POSITION}.weight_v")
    named = {key if key.startswith("final") else prefix + key: tensor for key, tensor in state.items()}
    torch.save({**named, f"{prefix}masked_spec_embed": torch.zeros(32)}, other / "pytorch_model.bin")
    assert torch.equal(load(other).encode(audio, "v1"), load(folder).encode(audio, "v1"))


def test_recordings_are_normalised_only_where_the_folder_says_so(folder: Path) -> None:
    audio = noise(1, 4_000)
    louder = audio * 4 + 0.2
    plain = load(folder)
    assert (plain.encode(audio, "v2") - plain.encode(louder, "v2")).abs().max() > 1e-3
    (folder / "preprocessor_config.json").write_text('{"do_normalize": false}')
    assert torch.equal(load(folder).encode(audio, "v2"), plain.encode(audio, "v2"))
    (folder / "preprocessor_config.json").write_text('{"do_normalize": true}')
    asked = load(folder)
    assert torch.allclose(asked.encode(audio, "v2"), asked.encode(louder, "v2"), atol=1e-3)
    centred = (audio - audio.mean()) / (audio.var(correction=0) + 1e-7).sqrt()
    assert torch.allclose(asked.encode(audio, "v2"), plain.encode(centred, "v2"), atol=1e-5)


def test_half_precision_is_close(folder: Path) -> None:
    audio = noise(1, 4_000)
    exact = load(folder).encode(audio, "v2")
    half = ContentVec.load(folder, "cpu", torch.bfloat16, hidden=32, projected=16).encode(audio, "v2")
    assert half.dtype == torch.bfloat16
    assert (half.float() - exact).square().mean() < 1e-2 * exact.square().mean()


def test_plain_hubert_serves_v2_only(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in state.items() if not k.startswith("final_proj")}, folder / "model.safetensors")
    encoder = load(folder)
    assert encoder.projected == 0
    assert encoder.encode(noise(1, 2_000), "v2").shape[2] == 32
    with pytest.raises(WeightsCorrupt, match="final_proj"):
        encoder.encode(noise(1, 2_000), "v1")


def test_what_is_missing_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="ContentVec") as caught:
        find(tmp_path)
    assert caught.value.suggestions == ["run: autovoice weights contentvec"]
    with pytest.raises(WeightsUnavailable, match=r"config\.json"):
        ContentVec.load(tmp_path / "none")
    folder = write_content_vec(tmp_path / "contentvec", SMALL)
    assert find(tmp_path) == folder
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsUnavailable, match=r"pytorch_model\.bin"):
        ContentVec.load(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "wav2vec2"),
        ("num_hidden_layers", 24),
        ("feat_extract_norm", "layer"),
        ("conv_kernel", [10, 3]),
        ("conv_dim", 8),
        ("conv_dim", [8] * 6),
        ("conv_dim", [8] * 6 + [1 << 40]),
        ("hidden_size", "32"),
        ("hidden_size", 33),
        ("num_attention_heads", 0),
        ("intermediate_size", True),
    ],
)
def test_other_networks_are_refused(key: str, value: object, folder: Path) -> None:
    config = {**SMALL.config(), key: value}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsCorrupt):
        load(folder)


def test_other_sizes_are_refused(folder: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="32 and 16 dimensions, not 768 and 256"):
        ContentVec.load(folder)
    (folder / "config.json").write_text(json.dumps({**SMALL.config(), "intermediate_size": 80}))
    with pytest.raises(WeightsCorrupt, match="intermediate_dense"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"\xff", b"[" * 100_000, b" " * (2 << 20)])
def test_a_damaged_configuration_is_refused(content: bytes, folder: Path) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(WeightsCorrupt, match=r"config\.json"):
        load(folder)


def test_damaged_tensors_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole, state = path.read_bytes(), load_file(path)
    for part in (b"", whole[:100], whole[:-1]):
        path.write_bytes(part)
        with pytest.raises(WeightsCorrupt, match="cannot be read"):
            load(folder)
    name = "encoder.layers.3.layer_norm.weight"
    save_file({k: v for k, v in state.items() if k != name}, path)
    with pytest.raises(WeightsCorrupt, match=r"lacks encoder\.transformer\.layers\.3\.layer_norm\.weight"):
        load(folder)
    save_file({**state, name: state[name] * torch.nan}, path)
    with pytest.raises(WeightsCorrupt, match="numbers that are none"):
        load(folder)
    save_file({**state, f"{POSITION}.weight_g": torch.zeros(3)}, path)
    with pytest.raises(WeightsCorrupt, match="do not fit each other"):
        load(folder)


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


def test_nothing_in_a_pickle_runs(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    path, mark = folder / "pytorch_model.bin", tmp_path / "ran"
    torch.save({"encoder": Hostile(mark)}, path)
    with pytest.raises(WeightsCorrupt, match="cannot be read"):
        load(folder)
    path.write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(WeightsCorrupt, match="cannot be read"):
        load(folder)
    torch.save({"encoder": [1]}, path)
    with pytest.raises(WeightsCorrupt, match="more than the tensors"):
        load(folder)
    assert not mark.exists()
