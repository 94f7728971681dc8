"""A network that loses, delays, overtakes and repeats, and what must hold of a jitter buffer behind it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kernels.conceal import OVERLAP
from realtime.decoder import Pcm, PcmDecoder
from realtime.jitter import JitterBuffer, Piece
from realtime.patience import MOST
from tests.live import Clock

RATE = 48_000
FRAME = 480
SOURCE = np.random.default_rng(1).integers(5_000, 30_000, 400_000).astype(np.int16)  # never zero


@dataclass
class Path:
    """A network: what it loses, delays, doubles. Seconds."""

    size: int = FRAME
    hop: int = FRAME  # less than the size: every frame repeats the end of the one before it
    loss: float = 0.0
    burst: float = 1.0  # frames that are lost together, on average
    delay: float = 0.03
    jitter: float = 0.0  # each frame is delayed by up to so much more ...
    ordered: bool = False  # ... and whether it may overtake others
    doubled: float = 0.0
    without: range = range(0)  # frames that are lost for certain
    frames: int = 60

    def arrivals(self, rng: np.random.Generator) -> list[tuple[float, int]]:
        """(time, frame) in the order in which they come."""
        lost = np.zeros(self.frames, bool)
        gone = False
        for n, draw in enumerate(rng.random(self.frames)):
            gone = draw < (1 - 1 / self.burst if gone else self.loss / self.burst)
            lost[n] = gone
        sent = (np.arange(self.frames) * self.hop + self.size) / RATE
        came = sent + self.delay + rng.random(self.frames) * self.jitter
        if self.ordered:
            came = np.maximum.accumulate(came)
        again = rng.random(self.frames) < self.doubled
        extra = rng.random(self.frames) * 0.03
        kept = [n for n in range(1, self.frames) if not lost[n] and n not in self.without]
        kept = [0, *kept]  # so that the stream begins at 0 (almost always)
        events = [(float(came[n]), n) for n in kept] + [
            (float(came[n] + extra[n]), n) for n in kept if again[n]
        ]
        return sorted(events, key=lambda event: event[0])


@dataclass
class Run:
    """What came out, and when."""

    buffer: JitterBuffer[Pcm]
    begun: float  # capture of sample 0
    pieces: list[Piece] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    came: dict[int, float] = field(default_factory=dict)  # when each frame came first

    def take(self, pieces: list[Piece], now: float) -> None:
        self.pieces += pieces
        self.times += [now] * len(pieces)

    def released(self, path: Path) -> dict[int, float]:
        """When each frame's last sample went out, of those that were heard."""
        ends = {p.position + len(p.samples): t for p, t in zip(self.pieces, self.times, strict=True) if p.heard}
        return {n: ends[n * path.hop + path.size] for n in self.came if n * path.hop + path.size in ends}

    def lag(self, path: Path) -> dict[int, float]:
        """Seconds from the capture of each frame's last sample to its going out."""
        return {n: t - self.begun - (n * path.hop + path.size) / RATE for n, t in self.released(path).items()}


def drive(path: Path, seed: int) -> Run:
    """Send a stream along a path; the timer rings exactly when it is asked to."""
    clock = Clock()
    run = Run(JitterBuffer(PcmDecoder(), clock), clock.now)
    for time, n in path.arrivals(np.random.default_rng(seed)):
        wake(run, clock, run.begun + time)
        clock.now = run.begun + time
        run.came.setdefault(n, clock.now)
        start = n * path.hop
        run.take(run.buffer.put(start, path.size, SOURCE[start : start + path.size]), clock.now)
    wake(run, clock, clock.now + 1)
    return run


def wake(run: Run, clock: Clock, until: float) -> None:
    while (deadline := run.buffer.deadline) is not None and deadline <= until:
        clock.now = max(clock.now, deadline)
        run.take(run.buffer.poll(), clock.now)
        assert run.buffer.deadline is None or run.buffer.deadline > clock.now  # it does not ring for nothing


def check(run: Run, path: Path) -> None:
    """All that must hold on every path."""
    place = run.pieces[0].position
    fading = 0
    for piece in run.pieces:
        assert piece.position == place  # in order, nothing left out, nothing twice
        assert len(piece.samples) > 0
        place += len(piece.samples)
        if piece.heard:
            truth = SOURCE[piece.position : place]
            assert np.array_equal(piece.samples[fading:], truth[fading:])
            fading = max(fading - len(piece.samples), 0)
        else:
            fading = OVERLAP
    assert run.times == sorted(run.times)
    released = run.released(path)
    stalls = [t - run.came[n] for n, t in released.items()]
    assert max(stalls) <= MOST + 1e-9
    assert min(stalls) >= -1e-9
    assert run.buffer.counters.longest_stall <= MOST + 1e-9
    assert run.buffer.counters.concealed == sum(len(p.samples) for p in run.pieces if not p.heard)
    assert run.buffer.deadline is None  # nothing is left behind
