"""Load Demucs models from their published files without running anything that is in them.

`.th` packages are pickles that name a class and its constructor's arguments; `.safetensors` files say the
same in their metadata. Both are read here through allow-lists; the model itself is then built from the `demucs`
package (the optional extra `[demucs]`), whose definition is taken as it is.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import pickle
import re
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from pipeline.errors import MissingExtra, WeightsCorrupt

CLASSES = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs")
PLAIN = (bool, int, float, str, type(None), Fraction)
MOST_LAYERS = 64  # numbers in a file may not make a model larger than this in any respect ...
MOST_WIDTH = 4096  # ... or than this where widths are meant
LARGE = ("channels", "channels_time", "nfft", "bottom_channels", "samplerate", "segment", "t_max_positions")


class _HTDemucs:
    """Stands for the class in a pickle; has no behaviour."""


class _HDemucs:
    """Stands for the class in a pickle; has no behaviour."""


STANDS_FOR = {_HTDemucs: CLASSES[0], _HDemucs: CLASSES[1]}


def load_package(path: Path) -> nn.Module:
    """The model in a `.th` or `.safetensors` file, in float32, ready for inference.

    Raises:
        WeightsCorrupt: damaged, another kind of file, or one that names more than a Demucs model.
        MissingExtra: the `demucs` package is not installed.
    """
    _check_name(path)
    name, args, kwargs, state = (_read_safetensors if path.suffix == ".safetensors" else _read_pickle)(path)
    for value in (*args, *kwargs.items()):
        _check_plain(path, value)
    try:
        from demucs import hdemucs, htdemucs
    except ImportError as problem:
        raise MissingExtra("demucs", "separation with htdemucs") from problem
    make: Any = htdemucs.HTDemucs if name == CLASSES[0] else hdemucs.HDemucs
    known = inspect.signature(make).parameters
    try:
        model: nn.Module = make(*args, **{k: v for k, v in kwargs.items() if k in known})
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    except (TypeError, ValueError, RuntimeError, AttributeError, ZeroDivisionError) as problem:
        raise WeightsCorrupt(f"{path.name} does not fit {name}: {problem}"[:300]) from problem
    return model.eval()


def _check_name(path: Path) -> None:
    """Published packages carry the start of their sha256 in their name: signature-checksum.th."""
    named = re.fullmatch(r"[0-9a-f]+-([0-9a-f]{8})\.th", path.name)
    if named is None:
        return
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    if not digest.hexdigest().startswith(named[1]):
        raise WeightsCorrupt(f"{path.name} is damaged: its sha256 starts with {digest.hexdigest()[:8]}")


def _read_pickle(path: Path) -> tuple[str, tuple[Any, ...], dict[str, Any], dict[str, torch.Tensor]]:
    allowed: list[Any] = [*STANDS_FOR.items(), Fraction]
    try:
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols: what cannot be read is refused
            package = torch.load(path, map_location="cpu", weights_only=True)
        klass, args, kwargs, state = (package[key] for key in ("klass", "args", "kwargs", "state"))
        name = STANDS_FOR[klass]
    except (
        pickle.UnpicklingError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        AttributeError,
    ) as problem:
        raise WeightsCorrupt(f"{path.name} is no Demucs package: {problem}"[:300]) from problem
    if not isinstance(kwargs, dict) or not _tensors_only(state):
        raise WeightsCorrupt(f"{path.name} holds more than the tensors of a model")
    return name, tuple(args), kwargs, state


def _read_safetensors(path: Path) -> tuple[str, tuple[Any, ...], dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        name = metadata["klass"]
        args, kwargs = (_decoded(json.loads(metadata[key])) for key in ("args", "kwargs"))
    except (SafetensorError, KeyError, ValueError, OSError) as problem:
        raise WeightsCorrupt(f"{path.name} is no Demucs model: {problem}"[:300]) from problem
    if name not in CLASSES or "structure" in metadata or not isinstance(kwargs, dict):
        raise WeightsCorrupt(f"{path.name} holds {name!r:.80}, which is not allowed")
    return name, tuple(args), kwargs, state


def _decoded(value: Any) -> Any:
    """JSON with fractions written as {"_type": "fraction", …}."""
    if isinstance(value, dict):
        if value.get("_type") == "fraction":
            return Fraction(int(value["numerator"]), int(value["denominator"]))
        return {key: _decoded(item) for key, item in value.items()}
    return [_decoded(item) for item in value] if isinstance(value, list) else value


def _tensors_only(state: Any) -> bool:
    return isinstance(state, dict) and all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items()
    )


def _check_plain(path: Path, value: Any) -> None:
    """Only numbers, names and lists of them may configure a model, and none that would exhaust the memory."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        name: str = value[0]
        value = value[1]
        limit = 200_000 if name in LARGE else MOST_WIDTH
        numbers = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(n, int | float | Fraction) and not abs(float(n)) <= limit for n in numbers):
            raise WeightsCorrupt(f"{path.name} asks for {name} = {value!r:.60}, which is too large")
    if isinstance(value, list | tuple) and len(value) <= MOST_LAYERS:
        for item in value:
            _check_plain(path, item)
    elif not isinstance(value, PLAIN):
        raise WeightsCorrupt(f"{path.name} configures its model with a {type(value).__name__}")
