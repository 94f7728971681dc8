"""A target voice: what a converter may know of the person it should sound like."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

BANK_FRAMES = 512
F0_QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)
EMBEDDING_SIZE = 256


@dataclass(frozen=True)
class Timbre:
    """Average spectra of a voice, as `pipeline.enrolment.measure_timbre` finds them.

    All bands are those of `pipeline.timbre.BAND_CENTRES_HZ`; levels are
    natural-log power; pitch bins are half octaves from 40 Hz.
    """

    unvoiced: NDArray[np.float32]  # (bands,) mean log power of consonants and breath
    voiced: NDArray[np.float32]  # (bands,) mean log power of voiced sound
    classes: NDArray[np.float32]  # (classes, bands) deviation from `voiced` in each class of sound
    breath: NDArray[np.float32]  # (bands,) log of noise power / total power in voiced sound
    by_pitch: NDArray[np.float32]  # (pitch bins, bands) mean log power of voiced sound at each pitch
    by_pitch_seconds: NDArray[np.float32]  # (pitch bins,) how long each was heard
    bandwidth_hz: float  # above it the recording holds nothing, so nothing is known


@dataclass(frozen=True)
class VoiceFrames:
    """Every frame (10 ms) that was heard of a voice: all that is kept, enough for another network."""

    shape: NDArray[np.float32]  # (frames, bands) log power less its mean over the bands that are heard
    level: NDArray[np.float32]  # (frames,) log power against the loudest of late, over 10
    f0_hz: NDArray[np.float32]  # (frames,) pitch, 0 unvoiced


@dataclass(frozen=True)
class TimbreBank:
    """Frames of a voice for `native` to read, as `pipeline.converters.native.enrol.make_bank` chooses them.

    Shapes are log power by band less its mean over the bands that the content encoder hears.
    """

    shapes: NDArray[np.float32]  # (BANK_FRAMES, bands)
    content: NDArray[np.float32]  # (BANK_FRAMES, content) what is said in each
    f0_hz: NDArray[np.float32]  # (BANK_FRAMES,) pitch, 0 unvoiced
    weight: NDArray[np.float32]  # (BANK_FRAMES,) 0 to 1, 0 where there is no frame
    summary: NDArray[np.float32]  # (voice,) the voice in one vector
    scale: NDArray[np.float32]  # (2, bands) what predictions are multiplied by, unvoiced and voiced
    offset: NDArray[np.float32]  # (2, bands) and what is added to them then
    network: str  # fingerprint of the network that made it


@dataclass(frozen=True)
class Target:
    """What somebody can sound like."""

    voice_id: str
    name: str

    converters: ClassVar[
        tuple[str, ...]
    ] = ()  # names of those that sing it; the first one, unless asked otherwise

    @property
    def median_f0_hz(self) -> float | None:
        """Pitch in the middle of the voice's range in Hz, None where it is not known."""
        raise NotImplementedError

    @property
    def fingerprint(self) -> str:
        """A hash of all that is heard of the voice, for caches."""
        raise NotImplementedError


@dataclass(frozen=True)
class Voice(Target):
    """A voice that was measured of a recording: what our own converters sing."""

    converters: ClassVar[tuple[str, ...]] = ("native", "classic", "passthrough")

    f0_hz: NDArray[np.float32]  # (5,) pitch in Hz at F0_QUANTILES of voiced time
    timbre: Timbre
    embedding: NDArray[np.float32]  # (256,) unit-length speaker embedding
    bank: TimbreBank | None = None  # what `native` reads
    frames: VoiceFrames | None = None  # what the bank was made from

    @property
    def median_f0_hz(self) -> float:
        """Pitch in the middle of the voice's range, in Hz."""
        return float(self.f0_hz[2])

    @property
    def fingerprint(self) -> str:
        """A hash of all that is heard of the voice, for caches."""
        digest, t = hashlib.blake2b(digest_size=16), self.timbre
        for array in (self.f0_hz, t.unvoiced, t.voiced, t.classes, t.breath, self.embedding):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(str(t.bandwidth_hz).encode())
        if self.bank is not None:
            digest.update(self.bank.network.encode())
            digest.update(self.bank.shapes.tobytes())
        return digest.hexdigest()


def measured(voice: Target) -> Voice:
    """The voice, if it was measured of a recording.

    Raises:
        ValueError: it is of another kind; names the converter that sings it.
    """
    if not isinstance(voice, Voice):
        raise ValueError(f"{voice.name!r} can only be sung by {voice.converters[0]!r}")
    return voice
