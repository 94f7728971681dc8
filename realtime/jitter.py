"""Frames from a lossy transport, put in order without a standing delay.

The server does not play sound, it converts it, so it keeps no playout delay: a frame that is next passes on at
once. Only behind a missing frame do later ones wait, until it comes or patience ends; then what is missing is
recovered or concealed, all that waits passes on, and the delay is what it was before the loss.

Frames wait as they came, encoded. Each is decoded once, when its turn comes, so that a decoder with a memory
sees the stream in the order in which it was encoded.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from kernels.conceal import Concealer
from realtime.decoder import Decoder, Pcm
from realtime.patience import MOST, Patience
from realtime.protocol import SAMPLE_RATE

Payload = TypeVar("Payload")

JUMP = SAMPLE_RATE // 2  # samples; a frame further away than this starts the stream anew
MAX_WAITING = 32  # frames; one more, and the oldest goes out
MAX_RECOVERY = 5_760  # samples (120 ms, the longest Opus packet) that a decoder is asked to recover
MAX_PIECE = 960  # samples (20 ms) of concealment in one piece
SMOOTHING = 1 / 64  # of the average wait, per frame
MAX_HOLES = 16  # concealed stretches remembered, to know late frames by


class Piece(NamedTuple):
    """Sound that goes out. Each piece begins where the one before it ended, unless the stream began anew."""

    position: int  # of its first sample
    samples: Pcm  # (samples,), not to be written to
    heard: bool  # sent and received (or recovered by the decoder), as against concealed


@dataclass(slots=True)
class Counters:
    """What has happened since the buffer was made."""

    concealed: int = 0  # samples, silence included
    recovered: int = 0  # samples, by the decoder
    reordered: int = 0  # frames that came in time, though after one behind them
    late: int = 0  # frames that came when their place, or part of it, had been concealed
    duplicates: int = 0  # frames that held nothing new
    damaged: int = 0  # frames that could not be decoded
    overflows: int = 0  # times that patience was cut short because too many frames waited
    restarts: int = 0  # times that the stream began anew
    longest_stall: float = 0.0  # seconds that a frame waited
    waited: float = 0.0  # seconds that frames wait nowadays, on average


class _Frame(NamedTuple, Generic[Payload]):
    """One that waits."""

    position: int
    end: int
    arrival: float
    payload: Payload


class _Hole(NamedTuple):
    """A stretch that was concealed."""

    start: int
    end: int
    missed: float  # when the first frame behind it came


class JitterBuffer(Generic[Payload]):
    """One stream's frames on their way in.

    Feed it with `put`, and call `poll` at `deadline` where there is one; both hand out what may go on. While no
    frame waits there is no deadline: when frames stop coming, nothing is invented.

    Args:
        decoder: of the payloads; `PcmDecoder()` where they are samples.
        clock: seconds, monotonic.
        patience: seconds, the longest that a missing frame is waited for.
    """

    def __init__(
        self, decoder: Decoder[Payload], clock: Callable[[], float], *, patience: float = MOST
    ) -> None:
        self.counters = Counters()
        self._decoder = decoder
        self._clock = clock
        self._patience = Patience(patience)
        self._concealer = Concealer()
        self._waiting: list[_Frame[Payload]] = []  # by position
        self._holes: deque[_Hole] = deque(maxlen=MAX_HOLES)
        self._start: int | None = None  # position of the stream's first sample
        self._next = 0  # position of the next sample to go out
        self._newest = 0  # one past the last sample that has come
        self._frame = 0.0  # seconds, length of the newest frame

    @property
    def patience(self) -> float:
        """Seconds that a missing frame is waited for at present."""
        return self._patience.seconds(self._clock(), self._frame)

    @property
    def deadline(self) -> float | None:
        """When to call `poll`, by the clock; None where no frame waits. It may change with every `put`."""
        return self._missed() + self.patience if self._waiting else None

    def put(self, position: int, samples: int, payload: Payload) -> list[Piece]:
        """Take a frame.

        Args:
            position: of its first sample.
            samples: how many it holds, decoded.
            payload: what the decoder understands.

        Returns:
            What may go on now, in order.

        Raises:
            ValueError: the frame holds no samples.
        """
        if samples < 1:
            raise ValueError(f"a frame of {samples} samples")
        now, end = self._clock(), position + samples
        pieces: list[Piece] = []
        if self._start is None:
            self._begin(position)
        elif position > self._newest + JUMP or end < self._next - JUMP:
            self._release(now, pieces, patience=0.0)
            self._begin(position)
        self._frame = samples / SAMPLE_RATE
        if self._wanted(position, end, now):
            insort(self._waiting, _Frame(position, end, now, payload), key=lambda frame: frame[:2])
            self._newest = max(self._newest, end)
        self._release(now, pieces, self.patience)
        return pieces

    def poll(self) -> list[Piece]:
        """What may go on now, in order; nothing before the deadline."""
        pieces: list[Piece] = []
        self._release(self._clock(), pieces, self.patience)
        return pieces

    def _begin(self, position: int) -> None:
        self.counters.restarts += self._start is not None
        self._start = self._next = position
        self._newest = max((frame.end for frame in self._waiting), default=position)
        self._concealer.reset()
        self._holes.clear()

    def _missed(self) -> float:
        """When the first frame came that waits, and with it the news that the one before it is missing."""
        return min(frame.arrival for frame in self._waiting)

    def _wanted(self, position: int, end: int, now: float) -> bool:
        """Whether a frame brings what has not come yet; counts it, and learns from how late it is."""
        behind = [frame.arrival for frame in self._waiting if frame.position > position]
        late = self._mend(position, end, now)
        if not late and end <= self._next and position < (self._start or 0):
            late = True  # the stream began with a frame behind this one
        known = end <= self._next or any(f.position <= position and end <= f.end for f in self._waiting)
        if late:
            self.counters.late += 1
        elif known:
            self.counters.duplicates += 1
        elif behind:
            self.counters.reordered += 1
            self._patience.met(now - min(behind), now)
        return not known

    def _mend(self, position: int, end: int, now: float) -> bool:
        """Forget holes where a frame falls into them; whether it does."""
        left: deque[_Hole] = deque(maxlen=MAX_HOLES)
        late = False
        for hole in self._holes:
            if position >= hole.end or end <= hole.start:
                left.append(hole)
                continue
            late = True
            self._patience.met(now - hole.missed, now)
            parts = ((hole.start, position), (end, hole.end))
            left.extend(_Hole(low, high, hole.missed) for low, high in parts if low < high)
        self._holes = left
        return late

    def _release(self, now: float, pieces: list[Piece], patience: float) -> None:
        """Let go what is next and what has waited long enough."""
        while self._waiting:
            missed = self._missed()
            if self._waiting[0].position > self._next and now < missed + patience:
                if len(self._waiting) <= MAX_WAITING:
                    return
                self.counters.overflows += 1
            frame = self._waiting.pop(0)
            if frame.end <= self._next:
                self.counters.duplicates += 1
                continue
            self._pass(frame, missed, pieces)
            waited = now - frame.arrival
            self.counters.longest_stall = max(self.counters.longest_stall, waited)
            self.counters.waited += SMOOTHING * (waited - self.counters.waited)

    def _pass(self, frame: _Frame[Payload], missed: float, pieces: list[Piece]) -> None:
        """Hand out a frame, and before it what is known of or made up for the loss that it ends."""
        gap = frame.position - self._next
        recovered = self._decoder.recover(frame.payload, min(gap, MAX_RECOVERY)) if gap > 0 else None
        sound = self._decoder.decode(frame.payload)
        if sound is None or len(sound) != frame.end - frame.position:
            self.counters.damaged += 1
            return
        if recovered is not None and 0 < len(recovered) <= gap:
            self.counters.recovered += len(recovered)
            sound = np.concatenate((recovered, sound))
        gap = frame.end - len(sound) - self._next
        if gap > JUMP:  # frame after frame was damaged
            self._begin(frame.end - len(sound))
        elif gap > 0:
            self._conceal(gap, sound, pieces)
            self._holes.append(_Hole(self._next - gap, self._next, missed))
        sound = self._concealer.join(sound[max(-gap, 0) :])
        pieces.append(Piece(self._next, sound, True))
        self._next = frame.end

    def _conceal(self, gap: int, ahead: Pcm, pieces: list[Piece]) -> None:
        """Hand out a stretch that is made up, as it may come before `ahead`."""
        made = np.empty(gap, np.int16)
        self._concealer.conceal(made, ahead)
        pieces.extend(
            Piece(self._next + at, made[at : at + MAX_PIECE], False) for at in range(0, gap, MAX_PIECE)
        )
        self._next += gap
        self.counters.concealed += gap
