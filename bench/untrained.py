"""Networks as large as the published ones with random weights: for figures of speed, and for tests."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.content_vec.names import POSITION, Sizes, empty


def content_vec_state(sizes: Sizes = Sizes(), seed: int = 0) -> dict[str, Tensor]:  # noqa: B008 - frozen
    """Random tensors by the names of Hugging Face's library, scaled so that no layer fades or grows."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, wanted in empty(sizes).state_dict().items():
        name = key.replace("encoder.transformer.", "encoder.").replace("encoder.feature_proj", "feature_proj")
        if wanted.ndim == 1:
            centre = 1.0 if name.endswith("weight") else 0.0
            state[name] = centre + 0.1 * torch.randn(wanted.shape, generator=generator)
        else:
            state[name] = torch.randn(wanted.shape, generator=generator) / wanted[0].numel() ** 0.5
    direction = state.pop(f"{POSITION}.weight")
    state[f"{POSITION}.weight_v"] = direction
    state[f"{POSITION}.weight_g"] = direction.square().sum((0, 1), keepdim=True).sqrt() * 1.5
    state["final_proj.weight"] = (
        torch.randn(sizes.projection, sizes.hidden, generator=generator) / sizes.hidden**0.5
    )
    state["final_proj.bias"] = 0.1 * torch.randn(sizes.projection, generator=generator)
    return state


def write_content_vec(folder: Path, sizes: Sizes = Sizes(), seed: int = 0) -> Path:  # noqa: B008 - frozen
    """A folder that `pipeline.content_vec.ContentVec.load` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(sizes.config()))
    save_file(content_vec_state(sizes, seed), folder / "model.safetensors")
    return folder
