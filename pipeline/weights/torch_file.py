"""Read what `torch.save` wrote without running anything that is in it, however the file was made."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import WeightsCorrupt

DAMAGED = (  # what torch's restricted unpickler raises at files that are not what they should be
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    RuntimeError,
    LookupError,
    TypeError,
    ValueError,
    EOFError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    MemoryError,
    OSError,
)


class Inert:
    """Stands for a class that a pickle names: takes what it is given, and does nothing."""

    def __new__(cls, *_: object) -> Inert:
        """Ignore the arguments."""
        return super().__new__(cls)

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: object) -> None:
        """Ignore the state."""


def load_torch(path: Path, most_bytes: int, inert: Sequence[str] = ()) -> Any:
    """The object in a file of `torch.save`, made of plain containers, numbers, text and tensors on the CPU.

    Args:
        path: the file.
        most_bytes: larger ones are refused, and such as unpack to more.
        inert: dotted names of classes that may occur, and are replaced by `Inert`.

    Raises:
        WeightsCorrupt: damaged, too large, another kind of file, or one that names anything else.
    """
    try:
        size = path.stat().st_size
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = max(size, sum(entry.file_size for entry in archive.infolist()))
        if size > most_bytes:
            raise WeightsCorrupt(f"{path.name} is too large: more than {most_bytes >> 20} MB")
        allowed: list[Any] = [(type("Inert", (Inert,), {}), name) for name in inert]
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols: what cannot be read is refused
            return torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED as problem:
        raise WeightsCorrupt(f"{path.name} cannot be read as weights: {problem}"[:300]) from problem


def tensors_of(path: Path, loaded: object) -> dict[str, Tensor]:
    """Check that something is a dict from names to tensors of numbers, dense and within their storage.

    Raises:
        WeightsCorrupt: it is not.
    """
    if not isinstance(loaded, dict) or not loaded:
        raise WeightsCorrupt(f"{path.name} holds no tensors by name")
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise WeightsCorrupt(f"{path.name} holds more than the tensors of a network")
        if value.is_meta or value.is_quantized or value.is_complex():
            raise WeightsCorrupt(f"{path.name} holds tensors of another kind: {key!r:.80}")
    return loaded


def fill(path: Path, module: torch.nn.Module, state: dict[str, Tensor]) -> None:
    """Put tensors into a network that was made on the device "meta"; it takes memory from here on.

    Args:
        path: where they come from, for what is told.
        module: its parameters and buffers get float32 copies; counters keep their type.
        state: exactly those it has, by name.

    Raises:
        WeightsCorrupt: some are missing, unknown, or of another shape.
    """
    wanted = module.state_dict()
    missing, unknown = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or unknown:
        what = f"lacks {missing[0]}" if missing else f"has an unknown {unknown[0]!r:.80}"
        raise WeightsCorrupt(f"{path.name} does not fit its network: it {what}")
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise WeightsCorrupt(
                f"{path.name} does not fit its network: {name} is {tuple(tensor.shape)}, "
                f"not {tuple(wanted[name].shape)}"
            )
    made = {name: tensor.detach().to(wanted[name].dtype).clone() for name, tensor in state.items()}
    for name, tensor in made.items():
        if not torch.isfinite(tensor).all():
            raise WeightsCorrupt(f"{path.name} is damaged: {name} holds numbers that are none")
    module.load_state_dict(made, assign=True)
    module.requires_grad_(False).eval()
