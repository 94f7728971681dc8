"""Frames of a lossy transport on their way to a session: in order, gaps concealed, nobody waiting for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic

from realtime.decoder import Decoder
from realtime.jitter import Counters, JitterBuffer, Payload, Piece
from realtime.protocol import Audio


class Pace:
    """Lets so many messages through in a second, and half a second's worth at once.

    Args:
        per_second: how many.
        clock: seconds, monotonic.
    """

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._rate = per_second
        self._clock = clock
        self._left = per_second / 2
        self._at = clock()

    def allows(self) -> bool:
        """Whether one more may pass now."""
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self._rate, self._rate / 2)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class FrameReceiver(Generic[Payload]):
    """Drives a `JitterBuffer` by the event loop's clock.

    Args:
        decoder: of the payloads.
        hear: called with every frame that goes on, and must not raise; what is silence for want of sound is
            left to the inbox.
    """

    def __init__(self, decoder: Decoder[Payload], hear: Callable[[Audio], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = JitterBuffer(decoder, self._loop.time)
        self._hear = hear
        self._seq = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def counters(self) -> Counters:
        """What has been lost, late and concealed."""
        return self._buffer.counters

    def put(self, position: int, samples: int, payload: Payload) -> None:
        """Take a frame, and pass on what may go now.

        Raises:
            ValueError: the frame holds no samples.
        """
        pieces = self._buffer.put(position, samples, payload)
        self._arm()
        self._pass(pieces)

    def close(self) -> None:
        """Let no timer outlive the connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self.close()
        deadline = self._buffer.deadline
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._due)

    def _due(self) -> None:
        pieces = self._buffer.poll()
        self._arm()
        self._pass(pieces)

    def _pass(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            if piece.heard or piece.samples.any():
                self._hear(Audio(self._seq, piece.position, piece.samples.tobytes(), piece.heard))
                self._seq += 1
