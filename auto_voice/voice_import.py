"""From an RVC voice's files, or two voices, to the files of a profile; for a process with limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auto_voice.pictures import draw
from auto_voice.storage.profiles import PICTURE, RVC
from auto_voice.storage.rvc_voices import INDEX, MODEL, described, settings_of
from pipeline.converters.rvc.architecture import FEATURES, VoiceModelUnusable
from pipeline.converters.rvc.checkpoint import Checkpoint, load_checkpoint
from pipeline.converters.rvc.index_file import IndexFile, read_index
from pipeline.converters.rvc.merge import merge
from pipeline.converters.rvc.stored import read_checkpoint, save_checkpoint, save_index
from pipeline.errors import WeightsCorrupt

ADVICE = "choose numbers within the ranges, see docs/rvc.md"


@dataclass(frozen=True)
class Brought:
    """What somebody brings.

    Attributes:
        model: an RVC `.pth`.
        index: its `added_….index`.
        picture: a PNG, JPEG or WebP.
        settings: some of `RvcSettings`, by name.
    """

    model: Path
    index: Path | None
    picture: Path | None
    settings: dict[str, Any]


def import_voice(brought: Brought, folder: Path) -> dict[str, Any]:
    """Read, check and store a voice.

    Args:
        brought: the files, of which none is changed.
        folder: where the files of the profile are written.

    Returns:
        What the profile says of the voice.

    Raises:
        VoiceModelUnusable, InvalidPicture: what is wrong with the files.
        OSError: they cannot be read, or the disk is full.
    """
    voice = load_checkpoint(brought.model)
    index = None if brought.index is None else _read(brought.index, voice)
    facts = _facts(voice, index, brought.settings)
    save_checkpoint(folder / MODEL, voice)
    if index is not None:
        save_index(folder / INDEX, index)
    if brought.picture is not None:
        (folder / PICTURE).write_bytes(draw(brought.picture))
    return facts


@dataclass(frozen=True)
class Parent:
    """A voice that is merged.

    Attributes:
        folder: of its profile.
        speaker: which of its speakers.
        settings: of the profile.
    """

    folder: Path
    speaker: int
    settings: dict[str, Any]


def merge_voices(first: Parent, second: Parent, share: float, folder: Path) -> dict[str, Any]:
    """Merge two stored voices; the settings are the first's, and there is no index, which belongs to one voice.

    Args:
        first, second: the voices.
        share: of the second, 0 to 1.
        folder: where the files of the profile are written.

    Returns:
        What the profile says of the voice.

    Raises:
        VoiceModelUnusable: voices that do not go together.
        OSError: the disk is full.
    """
    made = merge(
        read_checkpoint(first.folder / MODEL),
        read_checkpoint(second.folder / MODEL),
        share,
        (first.speaker, second.speaker),
    )
    facts = _facts(made, None, first.settings | {"speaker": 0})
    save_checkpoint(folder / MODEL, made)
    return facts


def _read(path: Path, voice: Checkpoint) -> IndexFile:
    try:
        return read_index(path, FEATURES[voice.architecture.version])
    except WeightsCorrupt as problem:
        raise VoiceModelUnusable(problem.message, *problem.suggestions) from problem


def _facts(voice: Checkpoint, index: IndexFile | None, settings: dict[str, Any]) -> dict[str, Any]:
    size = voice.architecture
    try:
        made = settings_of(settings, size.speakers)
    except (ValueError, TypeError) as problem:
        raise VoiceModelUnusable(str(problem), ADVICE) from problem
    return {
        "kind": RVC,
        "model": {
            "version": size.version,
            "sample_rate": size.sample_rate,
            "speakers": size.speakers,
            "f0": size.pitched,
            "info": voice.info,
            "index_features": 0 if index is None else len(index.vectors),
        },
        "settings": described(made),
        "audio_info": {},
        "vocal_range": {},
        "quality_metrics": {},
        "warnings": _warnings(voice),
    }


def _warnings(voice: Checkpoint) -> list[str]:
    if voice.architecture.pitched:
        return []
    return ["the model knows no pitch: it speaks, and follows no melody"]
