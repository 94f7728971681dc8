"""An RVC voice, ready to be sung with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Protocol

from torch import Tensor

from pipeline.converters.rvc.synthesiser import Synthesiser
from pipeline.voice import Target


class Retrieval(Protocol):
    """Content features of the voice itself, to be found again in what is sung."""

    def blend(self, features: Tensor, rate: float) -> Tensor:
        """(rows, frames, width) -> the same, `rate` of it (0 to 1) drawn to those of the voice most alike."""


@dataclass(frozen=True)
class RvcSettings:
    """What the owner of a voice has set for it. Out-of-range values raise ValueError."""

    speaker: int = 0
    index_rate: float = 0.5  # how much of the content is taken from the voice's own, 0..1
    protect: float = 0.33  # how much of that where nothing is voiced, 0..0.5; 0.5 protects nothing
    rms_mix: float = 1.0  # 1 keeps the loudness that the network gives, 0 the singer's
    pitch_semitones: float = 0.0  # added to what a singer sets
    formant_semitones: float = 0.0
    median_f0_hz: float | None = None  # of the voice; automatic octaves need it

    def __post_init__(self) -> None:
        if isinstance(self.speaker, bool) or not isinstance(self.speaker, int) or self.speaker < 0:
            raise ValueError(f"speaker must be a whole number from 0, not {self.speaker!r}")
        for name, low, high in (
            ("index_rate", 0.0, 1.0),
            ("protect", 0.0, 0.5),
            ("rms_mix", 0.0, 1.0),
            ("pitch_semitones", -24.0, 24.0),
            ("formant_semitones", -12.0, 12.0),
            ("median_f0_hz", 40.0, 1100.0),
        ):
            value = getattr(self, name)
            if value is None and name == "median_f0_hz":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")


@dataclass(frozen=True, eq=False)
class RvcVoice(Target):
    """A voice that somebody has trained with RVC."""

    converters: ClassVar[tuple[str, ...]] = ("rvc", "passthrough")

    synthesiser: Synthesiser
    retrieval: Retrieval | None = None
    settings: RvcSettings = field(default_factory=RvcSettings)

    def __post_init__(self) -> None:
        speakers = self.synthesiser.architecture.speakers
        if self.settings.speaker >= speakers:
            raise ValueError(f"the voice has {speakers} speakers, and none of number {self.settings.speaker}")

    @property
    def median_f0_hz(self) -> float | None:
        """Pitch of singers who need no octave to meet the voice, where its owner has said what its own is.

        The voice's own transposition comes on top of any octave, so it is taken away here.
        """
        own = self.settings.median_f0_hz
        return None if own is None else own * 2.0 ** (-self.settings.pitch_semitones / 12.0)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the network, the settings, and whether an index goes with them."""
        digest = hashlib.blake2b(digest_size=16)
        for tensor in self.synthesiser.state_dict().values():
            digest.update(tensor.numpy().tobytes())
        digest.update(repr((self.settings, self.retrieval is None)).encode())
        return digest.hexdigest()
