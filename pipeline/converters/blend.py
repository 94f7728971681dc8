"""Two voices at once: what every converter agrees on when it sings between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipeline.timbre import BAND_CENTRES_HZ
from pipeline.voice import Voice

Mixed = TypeVar("Mixed", float, NDArray[np.float32], Tensor)


@dataclass(frozen=True)
class Blend:
    """A second voice, and how much of it is sung. A share that is not from 0 to 1 raises ValueError."""

    voice: Voice
    share: float  # 0 is the first voice alone, 1 the second

    def __post_init__(self) -> None:
        check_share(self.share)


def check_share(share: object) -> float:
    """Return the share of a second voice as a float.

    Raises:
        ValueError: anything but a number from 0 to 1.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share <= 1.0:
        raise ValueError(f"the share of a blend must be a number from 0 to 1, not {share!r:.60}")
    return float(share)


def between(first: Mixed, second: Mixed, share: float) -> Mixed:
    """What lies `share` of the way from `first` to `second`; at 0 and 1 exactly the one and the other."""
    if share in (0.0, 1.0):  # whatever the other one is
        return second if share else first
    return first * (1.0 - share) + second * share


def known_bands(voice: Voice) -> int:
    """Number of the first band (of `BAND_CENTRES_HZ`) about which nothing is known of a voice."""
    return max(1, int(np.searchsorted(BAND_CENTRES_HZ, voice.timbre.bandwidth_hz * 0.95)))


def bands_known_of(first: int, second: int, share: float) -> int:
    """The bands that are known of all voices that have a part in the blend; see `known_bands`."""
    if share == 0.0:
        return first
    return second if share == 1.0 else min(first, second)
