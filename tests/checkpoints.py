"""RVC checkpoints for tests: small networks with random weights, in files as RVC writes them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.converters.rvc.architecture import Architecture
from pipeline.converters.rvc.synthesiser import Synthesiser
from tests.rvc import architecture

SIZE = architecture(
    inter=8, hidden=8, filter=16, layers=1, res_kernels=(3,), res_dilations=((1, 3),), width=16, speaker_width=4
)


def size_of(**other: Any) -> Architecture:
    """The small architecture, with something else in it."""
    return replace(SIZE, **other)


def weights(size: Architecture = SIZE, seed: int = 0, *, normalised: bool = True) -> dict[str, Tensor]:
    """Random float16 tensors by the names of RVC, some of them normalised as training leaves them."""
    return dict(_weights(size, seed, normalised))


@cache
def _weights(size: Architecture, seed: int, normalised: bool) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in Synthesiser(size).state_dict().items()}
    made = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=random) * (0.3 if len(shape) > 1 else 0.1)
        if name.endswith("gamma"):
            value = torch.ones(shape)
        stem = name.removesuffix("weight")
        if normalised and name.startswith(("flow.", "dec.")) and is_normalised(name):
            made[stem + "weight_v"] = value.half()
            made[stem + "weight_g"] = torch.rand((shape[0], 1, 1), generator=random).add(0.5).half()
        else:
            made[name] = value.half()
    return made


def is_normalised(name: str) -> bool:
    """Whether RVC normalises a weight."""
    inside = ".enc." in name or name.startswith(("dec.ups.", "dec.resblocks."))
    return inside and name.endswith(".weight")


def content(size: Architecture = SIZE, seed: int = 0, **other: Any) -> dict[str, Any]:
    """What a file holds; `other` replaces entries of it."""
    made = {
        "weight": weights(size, seed),
        "config": size.config(),
        "info": "20epoch",
        "sr": f"{size.sample_rate // 1000}k",
        "f0": int(size.pitched),
        "version": size.version,
    }
    return made | other


def write(path: Path, size: Architecture = SIZE, seed: int = 0, **other: Any) -> Path:
    """A `.pth` file."""
    torch.save(content(size, seed, **other), path)
    return path
