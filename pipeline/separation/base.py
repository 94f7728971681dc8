"""What every separator of vocals and accompaniment offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 20  # samples that are read at a time where the whole song is measured

Stereo = NDArray[np.float32]  # (2, samples) float32


class Stems(NamedTuple):
    """A segment of a song taken apart; the two add up to the mixture."""

    vocals: Stereo
    accompaniment: Stereo


class Mixture(Protocol):
    """A stereo song that can be read anywhere, as `pipeline.song.track.Track` can."""

    sample_rate: int
    channels: int
    frames: int

    def read(self, start: int, count: int) -> Stereo:
        """(channels, count) samples from `start` on; zeros outside."""


class Separator(Protocol):
    """Takes songs apart."""

    name: str
    sample_rate: int  # Hz, of the mixture and the stems

    def separate(self, mixture: Mixture) -> Iterator[Stems]:
        """Segments from beginning to end, together as long as the mixture; the caller may stop between two.

        Memory does not depend on the length of the song.

        Raises:
            ValueError: not stereo, or another sample rate.
        """


def check(mixture: Mixture, sample_rate: int) -> None:
    """Refuse what a separator cannot take.

    Raises:
        ValueError: not stereo, or another sample rate.
    """
    if mixture.channels != 2 or mixture.sample_rate != sample_rate:
        raise ValueError(
            f"a stereo mixture at {sample_rate} Hz is needed, "
            f"not {mixture.channels} channels at {mixture.sample_rate} Hz"
        )


def statistics(mixture: Mixture) -> tuple[float, float, float]:
    """Mean and standard deviation of the mono mix, and the root mean square of the song, read in blocks."""
    total = squares = power = 0.0
    for start in range(0, mixture.frames, BLOCK):
        block = mixture.read(start, min(BLOCK, mixture.frames - start)).astype(np.float64)
        mono = block.mean(0)
        total += float(mono.sum())
        squares += float(np.square(mono).sum())
        power += float(np.square(block).mean(0).sum())
    count = max(mixture.frames, 1)
    mean = total / count
    variance = max(squares - count * mean * mean, 0.0) / max(count - 1, 1)
    return mean, float(np.sqrt(variance)), float(np.sqrt(power / count))
