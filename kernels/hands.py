"""Threads that share the rows of a batch. Compiled loops let go of the interpreter, so the rows run at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

LEAST = 2  # rows that are worth a thread of their own

Tools = TypeVar("Tools")


class Hands(Generic[Tools]):
    """Some threads, each with scratch space of its own.

    Args:
        threads: how many, the caller's own among them.
        make: makes the scratch space of one.
        prepare: called in each thread but the caller's own, before it works.

    Raises:
        ValueError: no threads.
    """

    def __init__(
        self, threads: int, make: Callable[[], Tools], prepare: Callable[[], None] | None = None
    ) -> None:
        if threads < 1:
            raise ValueError(f"there must be at least one thread, not {threads}")
        self._tools = [make() for _ in range(threads)]
        self._others = ThreadPoolExecutor(threads - 1, "hand", prepare) if threads > 1 else None

    def share(self, count: int, work: Callable[[int, int, Tools], None]) -> None:
        """Call `work(start, end, tools)` for parts that make up range(count); returns when all are done.

        What a part raises is raised here, once no part is running any more.
        """
        parts = max(min(len(self._tools), count // LEAST), 1)
        ends = [count * (i + 1) // parts for i in range(parts)]
        if self._others is None or parts == 1:
            work(0, count, self._tools[0])
            return
        started = [
            self._others.submit(work, start, end, tools)
            for start, end, tools in zip(ends, ends[1:], self._tools[1:], strict=False)
        ]
        try:
            work(0, ends[0], self._tools[0])
        finally:
            failures = [failure for part in started if (failure := part.exception()) is not None]
        if failures:
            raise failures[0]
