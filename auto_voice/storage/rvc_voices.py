"""RVC voices as profiles keep them: which files, what the listing says of them, and the networks in memory."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pipeline.converters.rvc.architecture import FEATURES
from pipeline.converters.rvc.retrieval import Retrieval
from pipeline.converters.rvc.stored import load_index, read_checkpoint
from pipeline.converters.rvc.synthesiser import Synthesiser
from pipeline.converters.rvc.voice import RvcSettings, RvcVoice

MODEL, INDEX = "model.safetensors", "index.safetensors"
KEPT_BYTES = 1 << 30  # of voices that nobody sings, so that they need not be read again
SETTINGS = tuple(field.name for field in fields(RvcSettings))


@dataclass(frozen=True, eq=False)
class Parts:
    """What is large of a voice: shared by everybody who sings it."""

    synthesiser: Synthesiser
    retrieval: Retrieval | None
    size: int  # bytes


class Networks:
    """Networks by the profile that they belong to: one of each, however many sing it.

    Those that nobody sings any more are kept up to a number of bytes, the last ones used.

    Args:
        kept_bytes: that these may take.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Parts] = OrderedDict()
        self._there: weakref.WeakValueDictionary[str, Synthesiser] = weakref.WeakValueDictionary()
        self._indices: weakref.WeakValueDictionary[str, Retrieval] = weakref.WeakValueDictionary()

    def get(self, profile_id: str, folder: Path) -> Parts:
        """The parts of a voice, read from its folder where they are not there; from any thread.

        Raises:
            PipelineError: damaged files. OSError: files that cannot be read.
        """
        with self._lock:
            parts = self._kept.pop(profile_id, None)
            if parts is None:
                parts = read_parts(folder, self._there.get(profile_id), self._indices.get(profile_id))
            self._kept[profile_id] = parts
            self._there[profile_id] = parts.synthesiser
            if parts.retrieval is not None:
                self._indices[profile_id] = parts.retrieval
            while len(self._kept) > 1 and sum(each.size for each in self._kept.values()) > self._kept_bytes:
                self._kept.popitem(last=False)
            return parts

    def forget(self, profile_id: str) -> None:
        """Keep a voice no longer; who sings it goes on."""
        with self._lock:
            self._kept.pop(profile_id, None)


def read_parts(
    folder: Path, synthesiser: Synthesiser | None = None, retrieval: Retrieval | None = None
) -> Parts:
    """Read of a voice from its folder what is not there already.

    Raises:
        PipelineError: damaged files. OSError: files that cannot be read.
    """
    if synthesiser is None:
        synthesiser = read_checkpoint(folder / MODEL).synthesiser()
    if retrieval is None and (folder / INDEX).exists():
        retrieval = Retrieval(load_index(folder / INDEX, FEATURES[synthesiser.architecture.version]))
    return Parts(synthesiser, retrieval, _bytes(synthesiser, retrieval))


def voice_of(profile: dict[str, Any], parts: Parts) -> RvcVoice:
    """The voice of a profile.

    Raises:
        ValueError: settings that the voice cannot have.
    """
    settings = settings_of(profile["settings"], parts.synthesiser.architecture.speakers)
    return RvcVoice(
        profile["profile_id"], profile["profile_name"], parts.synthesiser, parts.retrieval, settings
    )


def settings_of(given: dict[str, Any], speakers: int) -> RvcSettings:
    """Settings by their names, checked.

    Args:
        given: some or all of `RvcSettings`; the others have their defaults.
        speakers: that the voice has.

    Raises:
        ValueError: an unknown name, or a value out of range.
    """
    for name in given:
        if name not in SETTINGS:
            raise ValueError(f"there is no setting {str(name)[:40]!r}; there are {', '.join(SETTINGS)}")
    made = RvcSettings(**given)
    if made.speaker >= speakers:
        raise ValueError(f"the voice has {speakers} speaker{'s' * (speakers > 1)}, counted from 0")
    return made


def described(settings: RvcSettings) -> dict[str, Any]:
    """Settings as a profile has them."""
    return asdict(settings)


def _bytes(network: Synthesiser, retrieval: Retrieval | None) -> int:
    size = sum(int(tensor.numel() * tensor.element_size()) for tensor in network.state_dict().values())
    return size + (0 if retrieval is None else 4 * retrieval.count * retrieval.dims)
