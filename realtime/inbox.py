"""Captured audio on its way to the engine: filled by the event loop, emptied by the compute thread.

Samples are addressed by the position at which they were captured. Whatever arrives late, twice, out of order or
not at all, the engine reads one unbroken stream, and nothing that is late can make later sound late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

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
MAX_HOLES = 32  # remembered
ARRIVALS = 256  # block arrival times remembered, a power of two


class Stream(NamedTuple):
    """What may be read of the ring. The event loop replaces it whole, so the compute thread never sees half."""

    generation: int  # counts the times that the stream has started anew
    base: int  # position of its first sample; blocks are counted from there
    floor: int  # what lies before has been given up
    end: int  # one past the newest sample


class Taken(NamedTuple):
    """One block that has been read."""

    generation: int  # of the stream that it belongs to
    position: int  # of its first sample
    arrival: float  # when its last sample came, by the inbox's clock


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
        self.concealed_samples = 0
        self.frames = 0
        self._ring = np.zeros(RING, np.int16)
        self._arrival = np.zeros(ARRIVALS)
        self._clock = clock
        self._stream: Stream | None = None  # written by the event loop
        self._cursor = (
            0,
            0,
        )  # (generation, position of the next sample to read), written by the compute thread
        self._last_seq = -1
        self._holes: list[tuple[int, int]] = []  # filled with silence, not read yet
        self._budget_from = clock()
        self._received = 0
        self._refused = 0

    def put(self, frame: Audio) -> None:
        """Take one frame (event loop).

        Raises:
            ProtocolError: `too_fast`, now and then while frames are refused for pace, and at last fatally.
        """
        now = self._clock()
        samples = np.frombuffer(frame.pcm, "<i2")
        if not self._in_pace(now, len(samples)):
            return
        self.frames += frame.heard
        self.concealed_samples += 0 if frame.heard else len(samples)
        start, end = frame.position, frame.position + len(samples)
        stream = self._stream
        if stream is None or start > stream.end + JUMP or end < self._next(stream) - JUMP:
            stream = self._restart(start)
        taken = self._next(stream)
        if end <= taken:
            self.dropped["repeated" if frame.seq <= self._last_seq and end <= stream.end else "late"] += 1
            return
        self._last_seq = max(self._last_seq, frame.seq)
        if start < stream.end:
            patched = self._patch(start, min(end, stream.end), taken, samples)
            if end <= stream.end:
                if not patched:
                    self.dropped["repeated"] += 1
                return
            start, samples = stream.end, samples[stream.end - start :]
        elif start > stream.end:
            self._skip(stream.end, start)
        ringbuffer.put(self._ring, start, samples)
        if self._holes and self._holes[-1][1] == start:
            ringbuffer.fade_in(self._ring, start, min(FADE, len(samples)))
        self._publish(stream, end, now, len(frame.pcm) // 2)

    def ready(self) -> bool:
        """Whether a whole block waits (either thread)."""
        return self.depth() > 0

    def depth(self) -> int:
        """Whole blocks that wait (either thread)."""
        stream = self._stream
        return 0 if stream is None else max(0, (stream.end - self._next(stream)) // self.block)

    def take(self, out: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Taken:
        """Read one block as float32 (compute thread).

        Raises:
            RuntimeError: no block is ready.
        """
        stream = self._stream
        if stream is None or stream.end - self._next(stream) < self.block:
            raise RuntimeError("take() before a block is ready")
        position = self._next(stream)
        ringbuffer.take(self._ring, position, out)
        arrival = float(self._arrival[((position - stream.base) // self.block) & (ARRIVALS - 1)])
        self._cursor = (stream.generation, position + self.block)
        return Taken(stream.generation, position, arrival)

    def _next(self, stream: Stream) -> int:
        """Position of the next sample to read."""
        generation, position = self._cursor
        return max(position, stream.floor) if generation == stream.generation else stream.floor

    def _restart(self, position: int) -> Stream:
        self._ring[:] = 0
        self._holes.clear()
        generation = 1 if self._stream is None else self._stream.generation + 1
        self._stream = Stream(generation, position, position, position)
        return self._stream

    def _publish(self, stream: Stream, end: int, now: float, size: int) -> None:
        """Show the compute thread what has come up to `end`; only the newest blocks and this frame may wait."""
        first, last = (stream.end - stream.base) // self.block, (end - stream.base) // self.block
        for index in range(first, last):
            self._arrival[index & (ARRIVALS - 1)] = now
        taken = self._next(stream)
        limit = max(self.limit, size + self.block)
        floor, over = stream.floor, end - taken - limit - self.block + 1
        if over > 0:
            floor = taken + -(-over // self.block) * self.block
            blocks = [(start, start + self.block) for start in range(taken, floor, self.block)]
            lost = [b for b in blocks if not any(h <= b[0] and b[1] <= e for h, e in self._holes)]
            if lost:
                self.dropped["overflow"] += len(lost)
            ringbuffer.fade_in(self._ring, floor, FADE)
        self._stream = Stream(stream.generation, stream.base, floor, end)

    def _in_pace(self, now: float, samples: int) -> bool:
        earned = (now - self._budget_from) * SAMPLE_RATE * PACE
        if earned - self._received > SAMPLE_RATE:  # silence earns no more than a second's credit
            self._budget_from = now - (self._received + SAMPLE_RATE) / (SAMPLE_RATE * PACE)
        if self._received + samples <= earned + BURST:
            self._received += samples
            return True
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

    def _skip(self, end: int, start: int) -> None:
        """Bridge samples that have not come (they may still)."""
        ringbuffer.bridge(self._ring, end, start, FADE)
        self._holes.append((end, start))
        self.gap_samples += start - end
        del self._holes[:-MAX_HOLES]

    def _patch(
        self, start: int, end: int, taken: int, samples: np.ndarray[tuple[int], np.dtype[np.int16]]
    ) -> bool:
        """Put what falls into holes that are not read yet where it belongs; False when nothing does."""
        left: list[tuple[int, int]] = []
        used = False
        for hole, hole_end in self._holes:
            low, high = max(start, hole, taken), min(end, hole_end)
            if low >= high:
                left.append((hole, hole_end))
                continue
            ringbuffer.put(self._ring, low, samples[low - start : high - start])
            self.gap_samples -= high - low
            left.extend(part for part in ((hole, low), (high, hole_end)) if part[0] < part[1])
            used = True
        self._holes = [hole for hole in left if hole[1] > taken]
        return used
