"""Captured audio on its way to the engine: filled by the event loop, emptied by the compute thread.

Samples are addressed by the position at which they were captured. Whatever arrives late, twice, out of order or
not at all, the engine reads one unbroken stream, and nothing that is late can make later sound late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from kernels import ring as ringbuffer
from realtime.errors import ProtocolError
from realtime.protocol import MAX_FRAME, SAMPLE_RATE, Audio

RING = 32_768  # samples (683 ms), a power of two
JUMP = RING - 2 * MAX_FRAME  # a frame further ahead than this starts the stream anew
FADE = 96  # samples (2 ms) over which a gap begins and ends
PACE = 1.25  # how much faster than real time a client may send for long ...
BURST = SAMPLE_RATE // 2  # ... and how many samples it may be ahead of that
TOO_MANY_TOO_FAST = 200  # frames refused for pace before the session is ended
ARRIVALS = 256  # block arrival times remembered, a power of two


class Inbox:
    """One session's captured audio.

    Args:
        block: samples that the engine takes at a time.
        queue: blocks that may wait; more, and the oldest are dropped.
        clock: seconds, monotonic.
    """

    def __init__(self, block: int, queue: int, clock: Callable[[], float]) -> None:
        self.block = block
        self.limit = max(queue * block, 2 * block)
        self.dropped: Counter[str] = Counter()
        self.gap_samples = 0
        self.frames = 0
        self.restarts = 0  # times that the stream has started anew
        self._ring = np.zeros(RING, np.int16)
        self._arrival = np.zeros(ARRIVALS)
        self._clock = clock
        self._taken: int | None = None  # position of the next sample that the engine reads
        self._end = 0  # one past the newest sample
        self._last_seq = -1
        self._holes: list[tuple[int, int]] = []  # filled with silence, not read yet
        self._budget_from = clock()
        self._received = 0
        self._refused = 0

    def put(self, frame: Audio) -> None:
        """Take one frame (event loop).

        Raises:
            ProtocolError: `too_fast`, once a second's worth has been refused, or for good.
        """
        now = self._clock()
        samples = np.frombuffer(frame.pcm, "<i2")
        if not self._in_pace(now, len(samples)):
            return
        self.frames += 1
        start, end = frame.position, frame.position + len(samples)
        if self._taken is None:
            self._restart(start)
        taken = self._taken if self._taken is not None else start
        if start > self._end + JUMP or end < taken - JUMP:
            self._restart(start)
            taken = start
        if end <= taken:
            self.dropped["repeated" if frame.seq <= self._last_seq and end <= self._end else "late"] += 1
            return
        self._last_seq = max(self._last_seq, frame.seq)
        if start < self._end:
            start = self._patch(start, end, samples)
            if start >= end:
                return
            samples = samples[-(end - start) :]
        elif start > self._end:
            self._skip_to(start)
        ringbuffer.put(self._ring, start, samples)
        if self._holes and self._holes[-1][1] == start:
            ringbuffer.fade_in(self._ring, start, min(FADE, len(samples)))
        first = (self._end - self._base) // self.block
        self._end = end
        for index in range(first, (end - self._base) // self.block):
            self._arrival[index & (ARRIVALS - 1)] = now
        if self._end - taken > self.limit + self.block - 1:
            self._drop_oldest(taken)

    def ready(self) -> bool:
        """Whether a whole block waits (either thread)."""
        return self._taken is not None and self._end - self._taken >= self.block

    def depth(self) -> int:
        """Whole blocks that wait."""
        return 0 if self._taken is None else max(0, (self._end - self._taken) // self.block)

    def take(self, out: np.ndarray[tuple[int], np.dtype[np.float32]]) -> tuple[int, float]:
        """Read one block as float32 (compute thread); returns its position and when its last sample came."""
        position = self._taken
        if position is None:
            raise RuntimeError("take() before a block is ready")
        ringbuffer.take(self._ring, position, out)
        arrival = float(self._arrival[((position - self._base) // self.block) & (ARRIVALS - 1)])
        self._taken = position + self.block
        return position, arrival

    def _restart(self, position: int) -> None:
        self._base = self._taken = self._end = position
        self._ring[:] = 0
        self._holes.clear()
        self.restarts += 1

    def _in_pace(self, now: float, samples: int) -> bool:
        earned = (now - self._budget_from) * SAMPLE_RATE * PACE
        if self._received > earned:
            pass
        elif earned - self._received > SAMPLE_RATE:  # silence earns no more than a second's credit
            self._budget_from = now - (self._received + SAMPLE_RATE) / (SAMPLE_RATE * PACE)
        if self._received + samples > earned + BURST:
            self.dropped["too_fast"] += 1
            self._refused += 1
            if self._refused % 100 == 1:
                raise ProtocolError(
                    "too_fast",
                    "audio arrives faster than real time",
                    "send each frame once, when it has been captured",
                    fatal=self._refused > TOO_MANY_TOO_FAST,
                )
            return False
        self._received += samples
        return True

    def _skip_to(self, start: int) -> None:
        """Bridge samples that have not come (they may still)."""
        ringbuffer.bridge(self._ring, self._end, start, FADE)
        self._holes.append((self._end, start))
        self.gap_samples += start - self._end
        del self._holes[:-32]

    def _patch(self, start: int, end: int, samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> int:
        """Put what falls into holes where it belongs; returns where the unseen part of the frame starts."""
        used = False
        for i, (hole, hole_end) in enumerate(self._holes):
            low, high = max(start, hole, self._taken or 0), min(end, hole_end)
            if low < high:
                ringbuffer.put(self._ring, low, samples[low - start : high - start])
                self.gap_samples -= high - low
                self._holes[i] = (high, hole_end) if low == hole else (hole, low)
                used = True
        self._holes = [h for h in self._holes if h[1] > h[0] and h[1] > (self._taken or 0)]
        if not used and end <= self._end:
            self.dropped["repeated"] += 1
        return max(start, self._end)

    def _drop_oldest(self, taken: int) -> None:
        """Let the newest sound through; what waited too long is left out."""
        blocks = -(-(self._end - taken - self.limit) // self.block)
        self._taken = taken + blocks * self.block
        self.dropped["overflow"] += blocks
        ringbuffer.fade_in(self._ring, self._taken, FADE)
