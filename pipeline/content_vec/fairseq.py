"""From fairseq's `hubert_base.pt` to a folder in the format of Hugging Face's library, without fairseq.

The file is a pickle that also holds the state of a training and names fairseq's `Dictionary`; the classes it
may name are replaced by ones that do nothing, and only tensors, numbers and text are taken.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.content_vec.names import KERNELS, LAYERS, POSITION, Sizes, empty, from_fairseq, to_torchaudio
from pipeline.errors import WeightsCorrupt
from pipeline.weights.torch_file import fill, load_torch, tensors_of

MOST_BYTES = 2 << 30
INERT = ("fairseq.data.dictionary.Dictionary", "argparse.Namespace")


def convert(path: Path, folder: Path) -> None:
    """Write `config.json`, `model.safetensors` and `preprocessor_config.json` into a new folder.

    Args:
        path: fairseq's file.
        folder: appears only when it is whole.

    Raises:
        WeightsCorrupt: damaged, or another kind of file or of network; nothing in it is executed.
    """
    loaded = load_torch(path, MOST_BYTES, INERT)
    if not isinstance(loaded, dict) or "model" not in loaded:
        raise WeightsCorrupt(f"{path.name} is no model of fairseq")
    state = tensors_of(path, loaded["model"])
    settings = loaded.get("cfg")
    try:
        named = from_fairseq(state)
        sizes = _sizes(named, _plain(settings, "model", "encoder_attention_heads"))
        sizes.check()
        made, projection = to_torchaudio(named)
    except (KeyError, ValueError, IndexError) as problem:
        raise WeightsCorrupt(f"{path.name} is not ContentVec or HuBERT base: {problem}"[:300]) from problem
    fill(path, empty(sizes), made)
    if projection:
        with torch.device("meta"):
            fill(path, torch.nn.Linear(sizes.hidden, sizes.projection), projection)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as aside:
        whole = Path(aside) / folder.name
        whole.mkdir()
        normalise = _plain(settings, "task", "normalize") is True
        preprocessor = {"do_normalize": normalise, "feature_size": 1, "sampling_rate": 16_000}
        (whole / "config.json").write_text(json.dumps(sizes.config(), indent=1))
        (whole / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=1))
        tensors = {key: value.float().contiguous().clone() for key, value in named.items()}
        save_file(tensors, whole / "model.safetensors", metadata={"format": "pt"})
        whole.replace(folder)


def _plain(settings: Any, part: str, key: str) -> Any:
    inner = settings.get(part) if isinstance(settings, dict) else None
    return inner.get(key) if isinstance(inner, dict) else None


def _sizes(named: dict[str, Tensor], heads: Any) -> Sizes:
    """What the shapes of the tensors tell."""
    layers = {key.split(".")[2] for key in named if key.startswith("encoder.layers.")}
    if len(layers) != LAYERS:
        raise ValueError(f"it has {len(layers)} layers, not {LAYERS}")
    hidden = named["encoder.layer_norm.weight"].shape[0]
    position = named[f"{POSITION}.weight_v"].shape
    projection = named.get("final_proj.weight")
    return Sizes(
        hidden=hidden,
        projection=Sizes().projection if projection is None else projection.shape[0],
        channels=tuple(
            named[f"feature_extractor.conv_layers.{i}.conv.weight"].shape[0] for i in range(len(KERNELS))
        ),
        heads=heads if type(heads) is int else max(1, hidden // 64),
        inner=named["encoder.layers.0.feed_forward.intermediate_dense.weight"].shape[0],
        position_kernel=position[2],
        position_groups=hidden // position[1] if position[1] else 0,
    )
