"""Networks as large as the published ones with random weights: for figures of speed, and for tests."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.content_vec import ContentVec
from pipeline.content_vec.names import POSITION, Sizes, empty
from pipeline.converters.rvc.architecture import Architecture
from pipeline.converters.rvc.synthesiser import Synthesiser
from pipeline.converters.rvc.voice import RvcVoice

FULL = Architecture(
    version="v2",
    pitched=True,
    inter=192,
    hidden=192,
    filter=768,
    heads=2,
    layers=6,
    kernel=3,
    res_kernels=(3, 7, 11),
    res_dilations=((1, 3, 5),) * 3,
    rates=(12, 10, 2, 2),
    up_kernels=(24, 20, 4, 4),
    width=512,
    speakers=109,
    speaker_width=256,
    sample_rate=48_000,
)


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


def full_size_content(device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> ContentVec:
    """ContentVec as large as the published one."""
    with tempfile.TemporaryDirectory() as folder:
        return ContentVec.load(write_content_vec(Path(folder)), device, dtype)


def full_size_voice(seed: int = 0) -> RvcVoice:
    """A voice of RVC v2 at 48 kHz, scaled so that its output is as loud as a voice's."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)  # also for what layers draw when they are made
        network = Synthesiser(FULL)
        for parameter in network.parameters():
            if parameter.dim() > 1:
                fan = parameter[0].numel() if parameter.dim() < 3 else parameter.numel() // parameter.shape[0]
                parameter.copy_(torch.randn(parameter.shape) / max(fan, 1) ** 0.5)
        network.flow.apply(_calm)
    return RvcVoice(f"random-{seed}", f"Random {seed}", network.eval().requires_grad_(False))


def _calm(module: torch.nn.Module) -> None:
    """Training begins with couplings that do nothing, and ends near there."""
    post = getattr(module, "post", None)
    if isinstance(post, torch.nn.Conv1d):
        torch.nn.init.normal_(post.weight, std=0.1 / post.in_channels**0.5)
