"""A voice as one safetensors file: arrays only, so that a file from anywhere is safe to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipeline.converters.classic.prior import CLASSES
from pipeline.timbre import BANDS
from pipeline.voice import EMBEDDING_SIZE, F0_QUANTILES, Timbre, Voice

SHAPES: dict[str, tuple[int, ...]] = {
    "f0_hz": (len(F0_QUANTILES),),
    "embedding": (EMBEDDING_SIZE,),
    "unvoiced": (BANDS,),
    "voiced": (BANDS,),
    "classes": (CLASSES, BANDS),
    "breath": (BANDS,),
    "by_pitch": (10, BANDS),
    "by_pitch_seconds": (10,),
    "bandwidth_hz": (1,),
}


def save_voice(path: Path, voice: Voice) -> None:
    """Write a voice to a file.

    Raises:
        OSError: the disk is full or not writable.
    """
    t = voice.timbre
    arrays = {
        "f0_hz": voice.f0_hz,
        "embedding": voice.embedding,
        "unvoiced": t.unvoiced,
        "voiced": t.voiced,
        "classes": t.classes,
        "breath": t.breath,
        "by_pitch": t.by_pitch,
        "by_pitch_seconds": t.by_pitch_seconds,
        "bandwidth_hz": np.array([t.bandwidth_hz]),
    }
    metadata = {"voice_id": voice.voice_id, "name": voice.name, "format": "autovoice-voice-1"}
    path.write_bytes(save({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}, metadata))


def load_voice(path: Path) -> Voice:
    """Read a voice.

    Raises:
        ValueError: a file that is damaged or holds something else.
        OSError: a file that cannot be read.
    """
    try:
        with safe_open(path, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            metadata = file.metadata() or {}
    except SafetensorError as problem:
        raise ValueError(f"{path.name} is not a voice file: {problem}") from problem
    for name, shape in SHAPES.items():
        array = arrays.get(name)
        if array is None or array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{path.name} holds no usable {name!r}")
    return Voice(
        voice_id=metadata.get("voice_id", path.stem),
        name=metadata.get("name", path.stem),
        f0_hz=arrays["f0_hz"],
        timbre=Timbre(
            unvoiced=arrays["unvoiced"],
            voiced=arrays["voiced"],
            classes=arrays["classes"],
            breath=arrays["breath"],
            by_pitch=arrays["by_pitch"],
            by_pitch_seconds=arrays["by_pitch_seconds"],
            bandwidth_hz=float(arrays["bandwidth_hz"][0]),
        ),
        embedding=arrays["embedding"],
    )
