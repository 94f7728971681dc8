"""What a client is told of its session while it runs: the fields of `pitch` and `stats`."""

from __future__ import annotations

import math
from typing import Any

from realtime.session import Block, Session

STATS_SECONDS = 0.5
PITCH_SECONDS = 0.05
HOP = 480  # samples: a block tells the pitch of its last 10 ms


class Reports:
    """Gathers figures block by block, for one line to the client.

    Args:
        session: the session that is reported on.
        block: its samples per step.
        sample_rate: Hz.
    """

    def __init__(self, session: Session, block: int, sample_rate: int) -> None:
        self._session = session
        self._block = block
        self._pitch_size = PITCH_SECONDS * sample_rate
        self._stats_at = session.clock()
        self._power_in = self._power_out = 0.0
        self._count = 0
        self._pitch: list[tuple[int, float, float]] = []

    def add(self, block: Block) -> None:
        """Note a converted block."""
        self._power_in += block.level_in
        self._power_out += block.level_out
        self._count += 1
        self._pitch.append((block.position + self._block - HOP, block.f0_in_hz, block.f0_out_hz))

    def pitch(self) -> dict[str, Any] | None:
        """The fields of `pitch` when it is time for one."""
        if len(self._pitch) * self._block < self._pitch_size:
            return None
        told, self._pitch = self._pitch, []
        return {
            "position": told[0][0] + self._session.delay,
            "hop": self._block,
            "f0_in": [round(p[1], 2) for p in told],
            "f0_out": [round(p[2], 2) for p in told],
        }

    def stats_due(self) -> bool:
        """Whether it is time for `stats`."""
        return self._session.clock() - self._stats_at >= STATS_SECONDS

    def stats(self, slow_client: int) -> dict[str, Any]:
        """The fields of `stats` that tell of this session; levels are those since the last time."""
        session, count = self._session, self._count
        dropped: dict[str, int] = dict(session.inbox.dropped)
        if slow_client:
            dropped["slow_client"] = slow_client
        fields = {
            "frames": session.inbox.frames,
            "dropped": dropped,
            "gaps": session.inbox.gap_samples,
            "concealed": session.inbox.concealed_samples,
            "added_p50_ms": _ms(session.added.percentile(50)),
            "added_p99_ms": _ms(session.added.percentile(99)),
            "level_in_db": _db(self._power_in / count) if count else None,
            "level_out_db": _db(self._power_out / count) if count else None,
        }
        self._stats_at = session.clock()
        self._power_in = self._power_out = 0.0
        self._count = 0
        return fields


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000.0 * seconds, 3)


def _db(power: float) -> float:
    return round(10.0 * math.log10(max(power, 1e-10)), 1)
