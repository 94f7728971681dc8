"""Figures of live sessions, kept in fixed memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


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


@dataclass
class EngineStats:
    """What the engine has measured; counters only ever grow."""

    sessions: int
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
    dropped: dict[str, int] = field(default_factory=dict)  # frames by reason
