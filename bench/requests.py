"""The same HTTP request again and again over many connections at once, from a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PATIENCE_S = 30.0  # for one answer


@dataclass(frozen=True)
class Answers:
    """What came back.

    Attributes:
        per_second: answers.
        times_ms: from a request to the end of its answer, each.
        failed: that were no 200, or never came.
    """

    per_second: float
    times_ms: NDArray[np.float64]
    failed: int


class Asker(asyncio.Protocol):
    """One connection that asks as soon as it is answered.

    Args:
        request: its bytes.
        end: of the asking, as `time.perf_counter` has it.
        done: set when it is over.
    """

    def __init__(self, request: bytes, end: float, done: asyncio.Future[None]) -> None:
        self.times: list[float] = []
        self.failed = 0
        self._request, self._end, self._done = request, end, done
        self._buffer = bytearray()
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Ask again where the answer is whole."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(
            int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        if len(body) < length:
            return
        now = time.perf_counter()
        self.times.append(now - self._asked)
        self.failed += not head.startswith(b"HTTP/1.1 200")
        self._buffer.clear()
        if now < self._end:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over, or the server hung up."""
        self.failed += exc is not None or time.perf_counter() < self._end
        if not self._done.done():
            self._done.set_result(None)


async def _ask_all(host: str, port: int, path: str, connections: int, seconds: float) -> Answers:
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    overs, askers = [loop.create_future() for _ in range(connections)], []
    for over in overs:
        asker = Asker(request, began + seconds, over)
        askers.append(asker)
        await loop.create_connection(lambda asker=asker: asker, host, port)  # type: ignore[misc]
    _, late = await asyncio.wait(overs, timeout=seconds + PATIENCE_S)
    took = time.perf_counter() - began
    times = np.concatenate([asker.times for asker in askers])
    return Answers(len(times) / took, 1000 * times, sum(asker.failed for asker in askers) + len(late))


def _ask_here(host: str, port: int, path: str, connections: int, seconds: float) -> Answers:
    return asyncio.run(_ask_all(host, port, path, connections, seconds))


def ask(address: str, path: str, connections: int, seconds: float) -> Answers:
    """Ask for `seconds`, each connection one thing at a time.

    Args:
        address: host:port.
        path: of what is asked for; the answer must say its length.
        connections: at once.
        seconds: that it is begun anew.
    """
    host, _, port = address.partition(":")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_ask_here, (host, int(port), path, connections, seconds))
