"""The folder that ContentVec is kept in, in the format of Hugging Face's library, and how it gets there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipeline.content_vec.fairseq import convert
from pipeline.content_vec.names import Sizes, sizes_of
from pipeline.errors import WeightsCorrupt, WeightsUnavailable
from pipeline.weights.download import Progress
from pipeline.weights.fetch import fetch_download
from pipeline.weights.torch_file import load_torch, tensors_of

FOLDER = "contentvec"
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
MOST_JSON, MOST_BYTES = 1 << 20, 2 << 30


def find(models_dir: Path) -> Path:
    """ContentVec's folder in `models_dir`.

    Raises:
        WeightsUnavailable: it is not there; names the command that fetches it.
    """
    folder = models_dir / FOLDER
    if (folder / CONFIG).is_file() and any((folder / name).is_file() for name in WEIGHTS):
        return folder
    raise WeightsUnavailable("ContentVec is not in the models folder", "run: autovoice weights contentvec")


def fetch(models_dir: Path, progress: Progress = lambda done, total: None) -> Path:
    """ContentVec's folder; without one, fairseq's file is downloaded, verified and converted.

    Raises:
        WeightsUnavailable: it cannot be downloaded.
        WeightsCorrupt: what came is something else.
    """
    try:
        return find(models_dir)
    except WeightsUnavailable:
        published = fetch_download("contentvec", models_dir, progress)
        convert(published, models_dir / FOLDER)
        published.unlink()
        return models_dir / FOLDER


def read_folder(folder: Path) -> tuple[Sizes, dict[str, Tensor], bool]:
    """Sizes, tensors by Hugging Face's names, and whether recordings are to be normalised.

    Raises:
        WeightsUnavailable: no such folder, or files of it are missing.
        WeightsCorrupt: another kind of network, or damaged files.
    """
    config = _json(folder, CONFIG)
    try:
        sizes = sizes_of(config)
    except ValueError as problem:
        raise WeightsCorrupt(f"{folder.name}/{CONFIG} is not ContentVec's: {problem}") from problem
    asked = (
        _json(folder, PREPROCESSOR).get("do_normalize", False) if (folder / PREPROCESSOR).exists() else False
    )
    if not isinstance(asked, bool):
        raise WeightsCorrupt(f"{folder.name}/{PREPROCESSOR}: do_normalize is neither true nor false")
    for name in WEIGHTS:
        path = folder / name
        if path.is_file():
            read = _safetensors if path.suffix == ".safetensors" else _pickled
            return sizes, read(path), asked
    raise WeightsUnavailable(
        f"{folder.name} holds no {' or '.join(WEIGHTS)}", "run: autovoice weights contentvec"
    )


def _json(folder: Path, name: str) -> Any:
    path = folder / name
    try:
        if path.stat().st_size > MOST_JSON:
            raise WeightsCorrupt(f"{folder.name}/{name} is too large")
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as problem:
        raise WeightsUnavailable(
            f"{folder.name} holds no {name}", "run: autovoice weights contentvec"
        ) from problem
    except (ValueError, RecursionError, OSError) as problem:
        raise WeightsCorrupt(f"{folder.name}/{name} cannot be read: {problem}"[:300]) from problem
    if not isinstance(found, dict):
        raise WeightsCorrupt(f"{folder.name}/{name} is no configuration")
    return found


def _pickled(path: Path) -> dict[str, Tensor]:
    return tensors_of(path, load_torch(path, MOST_BYTES))


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise WeightsCorrupt(f"{path.name} is too large")
        with safe_open(str(path), framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, ValueError, OSError) as problem:
        raise WeightsCorrupt(f"{path.name} cannot be read as weights: {problem}"[:300]) from problem
