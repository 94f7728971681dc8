"""Figures of live sessions, kept in fixed memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

LOAD_SECONDS = 1.0  # over how long the load is averaged


class Window:
    """The last `size` values of a measurement."""

    def __init__(self, size: int = 1024) -> None:
        self._values = np.zeros(size)
        self.count = 0

    def add(self, value: float) -> None:
        """Record one value; the oldest is forgotten."""
        self._values[self.count % len(self._values)] = value
        self.count += 1

    def percentile(self, p: float) -> float | None:
        """A percentile of what is remembered; None when nothing is."""
        known = self._values[: min(self.count, len(self._values))]
        return float(np.percentile(known, p)) if len(known) else None


class Load:
    """Fraction of its time that a thread was at work during the last second or so."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._fraction = 0.0
        self._at = clock()

    def worked(self, began: float, ended: float) -> None:
        """Note a stretch of work, by the clock given."""
        span = max(ended - self._at, 1e-6)
        weight = 1.0 - math.exp(-span / LOAD_SECONDS)
        self._fraction += weight * (min(1.0, (ended - began) / span) - self._fraction)
        self._at = ended

    def fraction(self) -> float:
        """The load now; it fades while nothing is done."""
        idle = max(0.0, self._clock() - self._at)
        return self._fraction * math.exp(-idle / LOAD_SECONDS)


@dataclass
class EngineStats:
    """What the engine has measured; counters only ever grow."""

    sessions: int  # those parked, too
    parked: int  # wait for their singers to come back
    capacity: int
    step_p50_ms: float | None
    step_p99_ms: float | None
    added_p50_ms: float | None  # from the receipt of a block's last sample to the hand-over of its rendering
    added_p99_ms: float | None
    busy: float  # fraction of the last second or so that the compute thread was at work
    queue_depth: int  # blocks waiting now
    refused: int
    blocks: int
    gap_samples: int
    concealed_samples: int
    dropped: dict[str, int] = field(default_factory=dict)  # frames by reason
