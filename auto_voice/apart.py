"""Work on what strangers send, in processes of its own with limits of time and memory.

A file that makes a decoder loop, or eat memory, or crash, takes its process with it and nothing else; the next
file gets a new one.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.process
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from auto_voice.memory import ran_out

P = ParamSpec("P")
R = TypeVar("R")


class WorkDied(Exception):
    """The process that worked ended: it crashed, or was killed."""


class WorkTooLarge(Exception):
    """The work needed more memory than it may have."""


class WorkTooLong(Exception):
    """The work took more than its time, and was ended."""


def prepare(memory_bytes: int) -> None:
    """In a new process: live sessions come first, Ctrl+C is the server's affair, and memory is bounded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):  # not on Windows
        import resource

        os.nice(10)
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


class Place:
    """One process, started when it is first needed."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._pool: ProcessPoolExecutor | None = None

    @property
    def processes(self) -> list[multiprocessing.process.BaseProcess]:
        """That process, where it runs."""
        return [] if self._pool is None else list((self._pool._processes or {}).values())

    @property
    def pool(self) -> ProcessPoolExecutor:
        """The executor of that process."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, initializer=prepare, initargs=(self._memory_bytes,))
        return self._pool

    def end(self) -> None:
        """End the process, whatever it is doing; the next use starts another."""
        if self._pool is not None:
            processes = self.processes
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.kill()
            self._pool = None


class Apart:
    """Some processes that work for others; each call has one of them to itself.

    Args:
        places: how many.
        memory_mb: what the data of one may take.
    """

    def __init__(self, places: int, memory_mb: int) -> None:
        self._places = [Place(memory_mb * 2**20) for _ in range(places)]
        self._free: asyncio.LifoQueue[Place] = asyncio.LifoQueue()
        for place in self._places:
            self._free.put_nowait(place)

    @property
    def processes(self) -> list[multiprocessing.process.BaseProcess]:
        """Those that run."""
        return [process for place in self._places for process in place.processes]

    async def run(self, seconds: float, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function of a module there, once a place is free.

        Args:
            seconds: that it may take from then on.
            function, args, kwargs: as pickled; what it raises is raised here.

        Raises:
            WorkTooLong, WorkTooLarge, WorkDied: as they say.
        """
        place = await self._free.get()
        try:
            call = asyncio.wrap_future(place.pool.submit(function, *args, **kwargs))
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError as problem:
            place.end()
            raise WorkTooLong(f"more than {seconds:g} s") from problem
        except BrokenProcessPool as problem:
            place.end()
            raise WorkDied("the process ended") from problem
        except (MemoryError, RuntimeError) as problem:
            if not ran_out(problem):
                raise
            place.end()
            raise WorkTooLarge("more memory than it may have") from problem
        except asyncio.CancelledError:
            place.end()
            raise
        finally:
            self._free.put_nowait(place)

    def close(self) -> None:
        """End all processes; what they are doing is given up."""
        for place in self._places:
            place.end()
