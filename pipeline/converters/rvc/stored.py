"""RVC voices as they are kept here: safetensors only, so that no pickle is ever read again.

The model keeps its tensors as `Checkpoint.stored` has them, and its configuration in the metadata; an index
keeps its arrays. Both are checked as strictly as files of strangers, which they may be after a restore.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipeline.converters.rvc.architecture import VoiceModelUnusable, read_architecture
from pipeline.converters.rvc.checkpoint import Checkpoint, checkpoint
from pipeline.converters.rvc.index_file import MOST_LOOKED, IndexFile
from pipeline.errors import WeightsCorrupt

MODEL_FORMAT, INDEX_FORMAT = "autovoice-rvc-1", "autovoice-rvc-index-1"
_ARRAYS = {"centroids": np.float32, "vectors": np.float32, "ids": np.int64, "starts": np.int64}


def save_checkpoint(path: Path, voice: Checkpoint) -> None:
    """Write a model.

    Raises:
        OSError: the disk is full or not writable.
    """
    size = voice.architecture
    metadata = {
        "format": MODEL_FORMAT,
        "config": json.dumps(size.config()),
        "version": size.version,
        "f0": str(int(size.pitched)),
        "info": voice.info,
    }
    _save(path, voice.stored, metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a model.

    Raises:
        VoiceModelUnusable: damaged, or no such file.
        OSError: it cannot be read.
    """
    try:
        tensors, metadata = _read(path, MODEL_FORMAT)
        config = json.loads(metadata["config"])
    except (ValueError, KeyError, RecursionError) as problem:
        raise VoiceModelUnusable(f"{path.name} is damaged") from problem
    embedding = tensors.get("emb_g.weight")
    if embedding is None or embedding.dim() != 2:
        raise VoiceModelUnusable(f"{path.name} is damaged: it has no speaker")
    size = read_architecture(config, metadata.get("version"), metadata.get("f0"), embedding.shape[0])
    return checkpoint(tensors, size, metadata.get("info", ""))


def save_index(path: Path, index: IndexFile) -> None:
    """Write an index.

    Raises:
        OSError: the disk is full or not writable.
    """
    arrays = {name: torch.from_numpy(np.ascontiguousarray(getattr(index, name))) for name in _ARRAYS}
    _save(path, arrays, {"format": INDEX_FORMAT, "probes": str(index.probes)})


def load_index(path: Path, dims: int) -> IndexFile:
    """Read an index.

    Args:
        path: the file.
        dims: of the features that the voice takes.

    Raises:
        WeightsCorrupt: damaged, no such file, or of other features.
        OSError: it cannot be read.
    """
    try:
        tensors, metadata = _read(path, INDEX_FORMAT)
        found = {name: tensors[name].numpy() for name in _ARRAYS}
        probes = int(metadata["probes"])
    except (ValueError, KeyError) as problem:
        raise WeightsCorrupt(f"{path.name} is damaged") from problem
    vectors, centroids, ids, starts = (found[n] for n in ("vectors", "centroids", "ids", "starts"))
    lists, count = len(centroids), len(vectors)
    longest = int(np.diff(starts).max(initial=0)) if starts.ndim == 1 else 0
    whole = (
        all(found[name].dtype == kind for name, kind in _ARRAYS.items())
        and centroids.shape == (lists, dims)
        and vectors.shape == (count, dims)
        and ids.shape == (count,)
        and starts.shape == (lists + 1,)
        and 1 <= probes <= lists
        and count > 0
        and starts[0] == 0
        and starts[-1] == count
        and (np.diff(starts) >= 0).all()
        and longest * probes * 4 * dims <= MOST_LOOKED
        and np.isfinite(vectors).all()
        and np.isfinite(centroids).all()
    )
    if not whole:
        raise WeightsCorrupt(f"{path.name} is damaged, or of another kind of voice")
    return IndexFile(centroids, vectors, ids, starts, probes)


def _save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as problem:
        raise OSError(f"{path.name} cannot be written: {problem}") from problem


def _read(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file of ours.

    Raises:
        ValueError: it is none.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != kind:
                raise ValueError(f"no {kind}")
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118 - not a dict
    except SafetensorError as problem:
        raise ValueError(str(problem)) from problem
