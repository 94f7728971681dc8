"""An RVC voice as its file has it: an architecture, and tensors that are held against it first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.converters.rvc.architecture import Architecture, VoiceModelUnusable, read_architecture, shown
from pipeline.converters.rvc.pth_file import ADVICE, plain, read_pth
from pipeline.converters.rvc.synthesiser import Synthesiser

DECODERS = ("HiFi-GAN", "HiFi-GAN-v1", None)
EMBEDDERS = ("contentvec", "hubert_base", "hubert", None)
UNUSED = "enc_q."  # only training needs it
LENGTH, DIRECTION = "weight_g", "weight_v"  # of weight normalisation: w = g · v / |v|
_OLD = {"parametrizations.weight.original0": LENGTH, "parametrizations.weight.original1": DIRECTION}


@dataclass(frozen=True)
class Checkpoint:
    """A voice as its file had it.

    Attributes:
        architecture: of its network.
        stored: its tensors on the CPU, by the names of RVC, weight normalisation as it was; float16 where that
            loses nothing, float32 elsewhere.
        info: what the file says of itself, such as "200epoch".
    """

    architecture: Architecture
    stored: dict[str, Tensor]
    info: str

    def synthesiser(self) -> Synthesiser:
        """The network in float32, ready for inference."""
        with torch.device("meta"):
            made = Synthesiser(self.architecture)
        made.load_state_dict({name: self._weight(name) for name in made.state_dict()}, assign=True)
        return made.eval().requires_grad_(False)

    def _weight(self, name: str) -> Tensor:
        """A tensor of `Synthesiser`, float32, weight normalisation multiplied out."""
        if name in self.stored:
            return self.stored[name].float().clone()
        stem = name.removesuffix("weight")
        v, g = self.stored[stem + DIRECTION].float(), self.stored[stem + LENGTH].float()
        made: Tensor = v * (g / torch.linalg.vector_norm(v, dim=(1, 2), keepdim=True).clamp_min(1e-12))
        return made


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a voice.

    Raises:
        VoiceModelUnusable: damaged, hostile, another kind of file, or a model that cannot be sung here; the
            message says which.
        OSError: the file cannot be read.
    """
    content = read_pth(path)
    if "weight" not in content and "model" in content:
        raise VoiceModelUnusable(
            "this is a file for training (G_….pth), not a voice", "export the small model from it first", ADVICE
        )
    weights = content.get("weight")
    if not isinstance(weights, dict):
        raise VoiceModelUnusable("the file holds no RVC voice: it has no 'weight'", ADVICE)
    tensors = {name: value for name, value in plain(weights).items() if not name.startswith(UNUSED)}
    _check_kind(content)
    embedding = tensors.get("emb_g.weight")
    if not isinstance(embedding, Tensor) or embedding.dim() != 2:
        raise VoiceModelUnusable("it has no speaker (emb_g.weight)", ADVICE)
    architecture = read_architecture(
        content.get("config"), content.get("version"), content.get("f0"), embedding.shape[0]
    )
    renamed: dict[str, Tensor] = {}
    for name, value in tensors.items():
        for new, old in _OLD.items():
            name = name.replace(new, old)  # noqa: PLW2901
        renamed[name] = value
    info = content.get("info", "")
    return checkpoint(renamed, architecture, info if isinstance(info, str) else "")


def checkpoint(tensors: dict[str, Any], architecture: Architecture, info: str) -> Checkpoint:
    """Hold tensors against the network that they should fill, and copy them.

    Args:
        tensors: by the names of RVC, weight normalisation multiplied out or not.
        architecture: which network.
        info: what is said of the voice; a line of it is kept.

    Raises:
        VoiceModelUnusable: some are missing, unknown, of another shape or kind, or not finite.
    """
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in Synthesiser(architecture).state_dict().items()}
    left = set(tensors)
    wanted: dict[str, torch.Size] = {}
    for name, shape in shapes.items():
        stem = name.removesuffix("weight")
        if name in left:
            wanted[name] = shape
        elif {stem + LENGTH, stem + DIRECTION} <= left and len(shape) == 3:
            wanted |= {stem + LENGTH: torch.Size((shape[0], 1, 1)), stem + DIRECTION: shape}
        else:
            raise VoiceModelUnusable(f"it lacks {name!r}", ADVICE)
    for name in sorted(left - set(wanted)):
        raise VoiceModelUnusable(f"it has {name[:60]!r}, which no RVC voice has", ADVICE)
    for name, shape in wanted.items():  # all, before any takes memory
        _check(name, tensors[name], shape)
    stored = {name: _least(name, tensors[name]) for name in wanted}
    line = "".join(c for c in info if c.isprintable())[:200]
    return Checkpoint(architecture, stored, line)


def _check_kind(content: dict[Any, Any]) -> None:
    decoder, embedder = content.get("vocoder"), content.get("embedder_model")
    if not isinstance(decoder, str | None) or decoder not in DECODERS:
        raise VoiceModelUnusable(f"its decoder is {shown(decoder)}; only RVC's own (HiFi-GAN) can be sung here")
    if not isinstance(embedder, str | None) or embedder not in EMBEDDERS:
        raise VoiceModelUnusable(
            f"it was trained on features of {shown(embedder)}; only those of ContentVec are known"
        )


def _check(name: str, tensor: Any, shape: torch.Size) -> None:
    if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.is_meta:
        raise VoiceModelUnusable(f"its {name!r} is no tensor", ADVICE)
    if tensor.shape != shape:
        raise VoiceModelUnusable(
            f"{name!r} is {tuple(tensor.shape)}, where its configuration says {tuple(shape)}"
        )
    if not tensor.is_floating_point():
        raise VoiceModelUnusable(f"{name!r} holds {tensor.dtype}, not floating-point numbers")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise VoiceModelUnusable(f"{name!r} is larger than what the file holds of it")


def _least(name: str, tensor: Tensor) -> Tensor:
    """A copy in the smallest type that holds all its numbers."""
    full = tensor.detach().float()
    if not torch.isfinite(full).all():
        raise VoiceModelUnusable(f"{name!r} is not finite: the training of this voice has failed", ADVICE)
    half = full.half()
    return (half if torch.equal(half.float(), full) else full).contiguous().clone()
