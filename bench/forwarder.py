"""A lossy line between two TUN devices: a process that carries IP packets, some later and some never.

`python -m bench.forwarder FD FD SEED` takes the two open devices, and on its standard input a line of JSON
whenever the weather changes; it answers each with its counts so far. It ends with its standard input, and so
never outlives whoever started it.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import random
import select
import sys
import time
from dataclasses import asdict, dataclass, field

MTU = 1500  # bytes
QUEUE = 4096  # packets that may be under way in one direction; more are lost, as in a router
PRIORITY = 20  # among real-time processes: its delays are to be those asked for
LATENESS = 100_000  # packets whose lateness is remembered


@dataclass(frozen=True)
class Weather:
    """What a line does to packets, in each direction.

    Args:
        loss: share of the packets that is lost, 0 to less than 1.
        burst: packets lost in a row, on average. At 1 each packet is lost or not whatever became of the one
            before; above it losses follow Gilbert's model ("Capacity of a burst-noise channel", BSTJ 39, 1960):
            a line is good, or bad and loses everything, and turns from one to the other at random.
        delay_s: seconds that every packet takes.
        jitter_s: seconds that a packet may take on top, evenly distributed from 0.
        reorder: whether a packet may overtake another because of that; if not, it waits its turn.
    """

    loss: float = 0.0
    burst: float = 1.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    reorder: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.loss < 1 or self.burst < 1 or self.delay_s < 0 or self.jitter_s < 0:
            raise ValueError(f"no such weather: {self}")
        if self.burst > 1 and self.loss / (self.burst * (1 - self.loss)) > 1:
            raise ValueError(f"a loss of {self.loss} does not come in bursts as short as {self.burst}")


class Direction:
    """Decides on the packets of one direction.

    Args:
        rng: decides what is lost and how long the others take.
    """

    def __init__(self, rng: random.Random) -> None:
        self.weather = Weather()
        self.lost = 0
        self._rng = rng
        self._bad = False
        self._last = 0.0

    def due(self, now: float) -> float | None:
        """When a packet that comes `now` (seconds) is to arrive; None where it is lost."""
        weather = self.weather
        if self._loses(weather):
            self.lost += 1
            return None
        due = now + weather.delay_s + weather.jitter_s * self._rng.random()
        if not weather.reorder:
            due = self._last = max(due, self._last)
        return due

    def _loses(self, weather: Weather) -> bool:
        if weather.burst <= 1 or not weather.loss:
            self._bad = False
            return self._rng.random() < weather.loss
        leave, enter = 1 / weather.burst, weather.loss / (weather.burst * (1 - weather.loss))
        self._bad = self._rng.random() >= leave if self._bad else self._rng.random() < enter
        return self._bad


@dataclass
class Forwarder:
    """Carries packets from each of two TUN devices to the other.

    Args:
        devices: file descriptors that do not block.
        seed: of all that is left to chance.
    """

    devices: tuple[int, int]
    seed: int
    carried: int = 0
    refused: int = 0  # by a full queue, here or in the device
    late: list[float] = field(default_factory=list)  # seconds by which packets went out after their time
    _queue: list[tuple[float, int, int, bytes]] = field(default_factory=list)  # (due, number, device, packet)
    _number: int = 0

    def __post_init__(self) -> None:
        self.directions = tuple(Direction(random.Random(2 * self.seed + i)) for i in range(2))

    def change(self, weather: Weather) -> None:
        """From now on; what is under way arrives as it would have."""
        for direction in self.directions:
            direction.weather = weather

    def counts(self) -> dict[str, float]:
        """What has happened since the last call."""
        late = sorted(self.late) or [0.0]
        counts = {
            "carried": self.carried,
            "lost": sum(direction.lost for direction in self.directions),
            "refused": self.refused,
            "late_p99_s": late[int(0.99 * (len(late) - 1))],
            "late_max_s": late[-1],
        }
        self.carried = self.refused = 0
        self.late.clear()
        for direction in self.directions:
            direction.lost = 0
        return counts

    def run(self, orders: int) -> None:
        """Until the file descriptor `orders` ends."""
        text = b""
        while True:
            wait = max(0.0, self._queue[0][0] - time.monotonic()) if self._queue else None
            ready, _, _ = select.select([orders, *self.devices], [], [], wait)
            self._deliver()
            for i, device in enumerate(self.devices):
                if device in ready:
                    self._collect(i)
            if orders in ready:
                news = os.read(orders, 65_536)
                if not news:
                    return
                *lines, text = (text + news).split(b"\n")
                for line in lines:
                    self.change(Weather(**json.loads(line)))
                    sys.stdout.write(json.dumps(self.counts()) + "\n")
                    sys.stdout.flush()

    def _collect(self, i: int) -> None:
        """Take what has come from one device."""
        for _ in range(64):
            try:
                packet = os.read(self.devices[i], MTU + 64)
            except BlockingIOError:
                return
            due = self.directions[i].due(time.monotonic())
            if due is None:
                continue
            if len(self._queue) >= 2 * QUEUE:
                self.refused += 1
                continue
            self._number += 1
            heapq.heappush(self._queue, (due, self._number, self.devices[1 - i], packet))

    def _deliver(self) -> None:
        """Let what is due arrive."""
        while self._queue and self._queue[0][0] <= time.monotonic():
            due, _, device, packet = heapq.heappop(self._queue)
            try:
                os.write(device, packet)
            except (BlockingIOError, OSError):
                self.refused += 1
                continue
            self.carried += 1
            if len(self.late) < LATENESS:
                self.late.append(time.monotonic() - due)


def order(weather: Weather) -> bytes:
    """The line that asks for a weather."""
    return json.dumps(asdict(weather)).encode() + b"\n"


def main() -> None:
    """Carry packets between the devices named on the command line, until standard input ends."""
    first, second, seed = (int(word) for word in sys.argv[1:4])
    for device in (first, second):
        os.set_blocking(device, False)
    with contextlib.suppress(OSError, AttributeError):  # not allowed, or not Linux
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    Forwarder((first, second), seed).run(sys.stdin.fileno())


if __name__ == "__main__":
    main()
