"""Reading an RVC `.pth`: nothing in it runs, and nothing is taken on trust.

The file is a ZIP of a pickle and tensors. The ZIP's own sizes are checked first, then PyTorch's restricted
unpickler reads plain values and tensors only, then every tensor is held against the network that the file's own
configuration describes, before any of them is copied.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.converters.rvc.architecture import Architecture, VoiceModelUnusable, read_architecture
from pipeline.converters.rvc.synthesiser import Synthesiser

MOST_BYTES = 1 << 30  # of a file; those that people have are 50 to 60 MB
MOST_ENTRIES = 10_000
MOST_PICKLE = 4 << 20
DECODERS = ("HiFi-GAN", "HiFi-GAN-v1", None)
EMBEDDERS = ("contentvec", "hubert_base", "hubert", None)
UNUSED = "enc_q."  # only training needs it
_OLD = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
# what PyTorch's reader raises for files that are damaged or hold more than plain values and tensors
_UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError,
    OverflowError, UnicodeDecodeError, AssertionError, MemoryError, zipfile.BadZipFile,
)  # fmt: skip
ADVICE = "choose the voice's own .pth of 50 to 60 MB, as RVC's WebUI or Applio wrote it"


@dataclass(frozen=True)
class Checkpoint:
    """A voice as its file had it."""

    architecture: Architecture
    tensors: dict[str, Tensor]  # float32 on the CPU, named as those of `Synthesiser`
    info: str  # what the file says of itself, such as "200epoch"

    def synthesiser(self) -> Synthesiser:
        """The network, ready for inference."""
        with torch.device("meta"):
            made = Synthesiser(self.architecture)
        made.load_state_dict(self.tensors, assign=True)
        return made.eval().requires_grad_(False)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a voice.

    Raises:
        VoiceModelUnusable: damaged, hostile, another kind of file, or a model that cannot be sung here; the
            message says which.
        OSError: the file cannot be read.
    """
    _check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as problem:
        raise VoiceModelUnusable("the file holds more than weights, which no voice needs", ADVICE) from problem
    except _UNREADABLE as problem:
        raise VoiceModelUnusable("the file is damaged", ADVICE) from problem
    if not isinstance(content, dict):
        raise VoiceModelUnusable("the file holds no RVC voice", ADVICE)
    if "weight" not in content and "model" in content:
        raise VoiceModelUnusable(
            "this is a file for training (G_….pth), not a voice", "export the small model from it first", ADVICE
        )
    return _read(content)


def _check_archive(path: Path) -> None:
    """Refuse what is no ZIP of tensors, or would take more memory than its size on disk."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise VoiceModelUnusable(f"the file has {size >> 20} MB; {MOST_BYTES >> 20} MB are allowed", ADVICE)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, UnicodeDecodeError) as problem:
        raise VoiceModelUnusable("the file is damaged or no PyTorch file", ADVICE) from problem
    pickles = [entry for entry in entries if entry.filename.endswith(".pkl")]
    if not pickles or len(entries) > MOST_ENTRIES or any(entry.file_size > MOST_PICKLE for entry in pickles):
        raise VoiceModelUnusable("the file holds no RVC voice", ADVICE)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise VoiceModelUnusable("the file is a compressed archive", "unpack it, and bring the .pth in it")
    if sum(entry.file_size for entry in entries) > size:
        raise VoiceModelUnusable("the file says that it is larger than it is", ADVICE)


def _read(content: Mapping[Any, Any]) -> Checkpoint:
    weights = content.get("weight")
    if not isinstance(weights, Mapping) or not all(isinstance(name, str) for name in weights):
        raise VoiceModelUnusable("the file holds no RVC voice: it has no 'weight'", ADVICE)
    tensors = {name: value for name, value in weights.items() if not name.startswith(UNUSED)}
    if not all(isinstance(value, Tensor) and value.layout == torch.strided for value in tensors.values()):
        raise VoiceModelUnusable("its entry 'weight' holds more than tensors", ADVICE)
    _check_kind(content)
    embedding = tensors.get("emb_g.weight")
    if embedding is None or embedding.dim() != 2:
        raise VoiceModelUnusable("it has no speaker (emb_g.weight)", ADVICE)
    architecture = read_architecture(
        content.get("config"), content.get("version"), content.get("f0"), embedding.shape[0]
    )
    renamed: dict[str, Tensor] = {}
    for name, value in tensors.items():
        for new, old in _OLD.items():
            name = name.replace(new, old)  # noqa: PLW2901
        renamed[name] = value
    return Checkpoint(architecture, _plain(renamed, architecture), str(content.get("info", ""))[:200])


def _check_kind(content: Mapping[Any, Any]) -> None:
    if content.get("vocoder") not in DECODERS:
        raise VoiceModelUnusable(
            f"its decoder is {str(content['vocoder'])[:40]!r}; only RVC's own (HiFi-GAN) can be sung here"
        )
    if content.get("embedder_model") not in EMBEDDERS:
        raise VoiceModelUnusable(
            f"it was trained on features of {str(content['embedder_model'])[:40]!r}; "
            "only those of ContentVec are known"
        )


def _plain(tensors: dict[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """float32 tensors by the names of `Synthesiser`, weight normalisation multiplied out."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in Synthesiser(architecture).state_dict().items()}
    made, left = {}, set(tensors)
    for name, shape in shapes.items():
        stem = name.removesuffix("weight")
        direction, length = tensors.get(stem + "weight_v"), tensors.get(stem + "weight_g")
        if name not in tensors and direction is not None and length is not None:
            _check_shape(stem + "weight_v", direction, shape)
            _check_shape(stem + "weight_g", length, torch.Size((shape[0], 1, 1)))
            v = direction.float()
            made[name] = v * (
                length.float() / torch.linalg.vector_norm(v, dim=(1, 2), keepdim=True).clamp_min(1e-12)
            )
            left -= {stem + "weight_v", stem + "weight_g"}
        elif name in tensors:
            _check_shape(name, tensors[name], shape)
            made[name] = tensors[name].float().contiguous().clone()
            left.discard(name)
        else:
            raise VoiceModelUnusable(f"it lacks {name!r}", ADVICE)
        if not torch.isfinite(made[name]).all():
            raise VoiceModelUnusable(f"{name!r} is not finite: the training of this voice has failed", ADVICE)
    if left:
        raise VoiceModelUnusable(f"it has {sorted(left)[0][:60]!r}, which no RVC voice has", ADVICE)
    return made


def _check_shape(name: str, tensor: Tensor, shape: torch.Size) -> None:
    if tensor.shape != shape:
        raise VoiceModelUnusable(
            f"{name!r} is {tuple(tensor.shape)}, where its configuration says {tuple(shape)}"
        )
    if not tensor.is_floating_point():
        raise VoiceModelUnusable(f"{name!r} holds {tensor.dtype}, not floating-point numbers")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise VoiceModelUnusable(f"{name!r} is larger than what the file holds of it")
