"""Processes that work for others: what goes wrong in one stays there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from auto_voice.apart import Apart, WorkDied, WorkTooLarge, WorkTooLong


@pytest.fixture
def apart() -> Iterator[Apart]:
    made = Apart(1, 512)
    yield made
    made.close()


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def take(megabytes: int) -> int:
    return len(bytearray(megabytes * 2**20))


def take_by_torch(megabytes: int) -> None:
    import torch

    torch.ones(megabytes * 2**20, dtype=torch.uint8)


def fail() -> None:
    raise RuntimeError("a defect")


async def test_work_is_done_elsewhere_and_the_process_stays(apart: Apart) -> None:
    first, second = [await apart.run(30, os.getpid) for _ in range(2)]
    assert first == second != os.getpid()


async def test_what_it_raises_is_raised_here(apart: Apart) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await apart.run(30, int, "seven")


async def test_too_long_is_ended_and_the_next_gets_another_process(apart: Apart) -> None:
    first = await apart.run(30, os.getpid)
    with pytest.raises(WorkTooLong, match=r"more than 0\.2 s"):
        await apart.run(0.2, time.sleep, 60)
    assert await apart.run(30, os.getpid) != first


async def test_memory_is_bounded(apart: Apart) -> None:
    assert await apart.run(30, take, 100) == 100 * 2**20
    with pytest.raises(WorkTooLarge):
        await apart.run(30, take, 1024)
    assert await apart.run(30, take, 100) == 100 * 2**20


async def test_memory_that_torch_asks_for_is_bounded_too() -> None:
    apart = Apart(1, 2048)
    with pytest.raises(WorkTooLarge):
        await apart.run(60, take_by_torch, 2048)
    with pytest.raises(RuntimeError, match="a defect"):
        await apart.run(30, fail)
    apart.close()


async def test_a_crash_takes_the_process_alone(apart: Apart) -> None:
    with pytest.raises(WorkDied):
        await apart.run(30, crash)
    assert await apart.run(30, abs, -1) == 1
