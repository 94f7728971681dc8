"""Many singers at once over one transport: real connections to a real server process, in real time.

Each singer has a line of its own and sings at a phase of its own, as people do. Server and singers share the
machine: on two cores, one is the server's and one is theirs.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.lines import Line
from kernels import opus
from realtime.protocol import SAMPLE_RATE
from realtime.transports.webrtc.track import FRAME

WARM_UP = 100  # frames that are sung before anything counts
START_TIMEOUT_S = 20.0


@dataclass
class Carried:
    """What became of what was sung."""

    handled_ms: np.ndarray[Any, np.dtype[np.float64]]  # from a frame's sending until its rendering came, each
    lateness_ms: np.ndarray[Any, np.dtype[np.float64]]  # of the sending, each: not the server's doing
    sent: int
    lost: int
    server_added_p99_ms: float  # as the server says, the worst singer's
    server_cores: float  # of processor time per second
    singer_cores: float


class Refused(RuntimeError):
    """The server answers with an error."""


class Caller:
    """One singer, who counts when what comes back.

    Args:
        line: not open yet.
        shift: samples by which a rendering begins before the frame that completes it: the codecs hear ahead.
    """

    def __init__(self, line: Line, shift: int) -> None:
        self.line = line
        self.shift = shift
        self.sent: dict[int, float] = {}
        self.handled: list[float] = []
        self.lateness: list[float] = []
        self.stats: dict[str, Any] = {}
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def begin(self, address: str, converter: str) -> None:
        """Connect and start."""
        await self.line.open(address, self._hear)
        for fields in (
            {"type": "hello", "version": 1, "client": "bench"},
            {"type": "start", "voice": "aria", "converter": converter},
        ):
            answer = self._answers[str(fields["type"])] = asyncio.get_running_loop().create_future()
            await self.line.send(fields)
            async with asyncio.timeout(START_TIMEOUT_S):
                await answer

    async def sing(self, pcm: np.ndarray[Any, np.dtype[np.int16]], frames: int, began: float) -> None:
        """Sing `frames` frames, the first when `time.perf_counter()` says `began`."""
        for frame in range(frames):
            due = began + frame * FRAME / SAMPLE_RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            place = frame * FRAME % (len(pcm) - FRAME)
            now = self.sent[frame] = time.perf_counter()
            if frame >= WARM_UP:
                self.lateness.append(now - due)
            self.line.sing(frame, frame * FRAME, pcm[place : place + FRAME].tobytes())

    def _hear(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "audio":
            frame = (message["position"] + self.shift) // FRAME
            sent = self.sent.pop(frame, None)
            if sent is not None and frame >= WARM_UP:
                self.handled.append(time.perf_counter() - sent)
        elif kind == "stats":
            self.stats = message
        elif kind == "error":
            problem = Refused(f"{message['code']}: {message['message']}")
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(problem)
                    return
            raise problem
        elif kind in self._answers and not self._answers[kind].done():
            self._answers[kind].set_result(message)


async def carry_calls(
    make: Callable[[], Line],
    by_track: bool,
    address: str,
    server: int,
    count: int,
    seconds: float,
    converter: str,
) -> Carried:
    """Let `count` singers sing for a while.

    Args:
        make: a line of the transport.
        by_track: whether it is one with codecs.
        address: host:port of the server.
        server: its process.
        count: of singers.
        seconds: that count.
        converter: that they ask for.
    """
    from bench.server import song

    callers = [Caller(make(), 2 * opus.LOOKAHEAD if by_track else 0) for _ in range(count)]
    try:
        for caller in callers:
            await caller.begin(address, converter)
        frames = WARM_UP + int(seconds * SAMPLE_RATE) // FRAME
        lines = [song(4.0, seed) for seed in range(min(count, 4))]
        before = [_cpu_seconds(pid) for pid in (server, os.getpid())]
        began = time.perf_counter() + 0.1
        phases = np.random.default_rng(1).uniform(0, FRAME / SAMPLE_RATE, count)
        await asyncio.gather(
            *(caller.sing(lines[i % len(lines)], frames, began + phases[i]) for i, caller in enumerate(callers))
        )
        took = time.perf_counter() - began
        used = [_cpu_seconds(pid) - b for pid, b in zip((server, os.getpid()), before, strict=True)]
        await asyncio.sleep(0.6)
    finally:  # also those that were refused
        for caller in callers:
            await caller.line.close()
    handled = np.concatenate([caller.handled for caller in callers])
    sent = count * (frames - WARM_UP)
    return Carried(
        1000 * handled,
        1000 * np.concatenate([caller.lateness for caller in callers]),
        sent,
        sent - len(handled),
        max((caller.stats.get("added_p99_ms") or 0.0) for caller in callers),
        used[0] / took,
        used[1] / took,
    )


def _cpu_seconds(pid: int) -> float:
    """Processor time that a process has used (proc(5): utime and stime); NaN where the system does not say."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return float("nan")
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
