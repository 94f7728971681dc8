"""A voice as one safetensors file: arrays only, so that a file from anywhere is safe to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipeline.content import Size
from pipeline.converters.classic.prior import CLASSES
from pipeline.converters.native.enrol import bank_of_averages, make_bank
from pipeline.converters.native.weights import load_weights
from pipeline.timbre import BANDS
from pipeline.voice import BANK_FRAMES, EMBEDDING_SIZE, F0_QUANTILES, Timbre, TimbreBank, Voice, VoiceFrames

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
BANK = "bank_"
BANK_SHAPES: dict[str, tuple[int, ...]] = {
    "shapes": (BANK_FRAMES, BANDS),
    "content": (BANK_FRAMES, Size().content),
    "f0_hz": (BANK_FRAMES,),
    "weight": (BANK_FRAMES,),
    "summary": (Size().voice,),
    "scale": (2, BANDS),
    "offset": (2, BANDS),
}
FRAMES = "frames_"
FRAMES_SHAPES: dict[str, tuple[int, ...]] = {"shape": (BANDS,), "level": (), "f0_hz": ()}


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
    stored = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    metadata = {"voice_id": voice.voice_id, "name": voice.name, "format": "autovoice-voice-2"}
    half = [(FRAMES, FRAMES_SHAPES, voice.frames), (BANK, BANK_SHAPES, voice.bank)]
    for prefix, names, part in half:
        if part is not None:
            stored.update({prefix + n: np.ascontiguousarray(getattr(part, n), np.float16) for n in names})
    if voice.bank is not None:
        metadata["network"] = voice.bank.network
    path.write_bytes(save(stored, metadata))


def load_voice(path: Path) -> Voice:
    """Read a voice. What an older version or another network made is made anew from what was kept.

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
    if not (arrays["f0_hz"] > 0).all():
        raise ValueError(f"{path.name} holds no usable 'f0_hz': a pitch of 0 Hz")
    timbre = Timbre(
        unvoiced=arrays["unvoiced"],
        voiced=arrays["voiced"],
        classes=arrays["classes"],
        breath=arrays["breath"],
        by_pitch=arrays["by_pitch"],
        by_pitch_seconds=arrays["by_pitch_seconds"],
        bandwidth_hz=float(arrays["bandwidth_hz"][0]),
    )
    frames = _read_frames(path, arrays)
    return Voice(
        voice_id=metadata.get("voice_id", path.stem),
        name=metadata.get("name", path.stem),
        f0_hz=arrays["f0_hz"],
        timbre=timbre,
        embedding=arrays["embedding"],
        bank=_read_bank(path, arrays, metadata, frames) or bank_of_averages(timbre, float(arrays["f0_hz"][2])),
        frames=frames,
    )


def _read_frames(path: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> VoiceFrames | None:
    if FRAMES + "level" not in arrays:
        return None
    count = len(arrays[FRAMES + "level"])
    return VoiceFrames(**_read(path, arrays, FRAMES, {n: (count, *s) for n, s in FRAMES_SHAPES.items()}))


def _read_bank(
    path: Path, arrays: dict[str, np.ndarray[Any, Any]], metadata: dict[str, str], frames: VoiceFrames | None
) -> TimbreBank | None:
    network = load_weights().fingerprint
    if metadata.get("network") == network:
        return TimbreBank(**_read(path, arrays, BANK, BANK_SHAPES), network=network)
    return make_bank(frames) if frames is not None else None


def _read(
    path: Path, arrays: dict[str, np.ndarray[Any, Any]], prefix: str, shapes: dict[str, tuple[int, ...]]
) -> dict[str, Any]:
    for name, shape in shapes.items():
        array = arrays.get(prefix + name)
        if array is None or array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{path.name} holds no usable {prefix + name!r}")
    return {name: arrays[prefix + name].astype(np.float32) for name in shapes}
