"""Requests that wait for singers."""

from __future__ import annotations

import asyncio

import pytest

from auto_voice.web.turns import LONGEST_REST_S, SHARE, TURN_S, Turns


class Clock:
    """Time and work that the test owns."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.work = 5.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Turns:
    made = Turns(lambda: clock.time, lambda: clock.work)
    assert made.rest_s() == 0.0
    return made


def test_who_comes_rarely_never_waits(turns: Turns, clock: Clock) -> None:
    for _ in range(5):
        clock.time += 0.010
        clock.work += 0.001
        assert turns.rest_s() == 0.0


def test_the_share_is_kept(turns: Turns, clock: Clock) -> None:
    began, worked = clock.time, clock.work
    for _ in range(1000):
        clock.time += 0.001
        clock.work += 0.001
        clock.time += turns.rest_s()
    assert (clock.work - worked) / (clock.time - began) == pytest.approx(SHARE, abs=0.01)


def test_however_busy_the_loop_is_requests_are_answered(turns: Turns, clock: Clock) -> None:
    for _ in range(100):  # singers alone take more than the share
        clock.time += 1.0
        clock.work += 0.9
        assert turns.rest_s() <= LONGEST_REST_S
    clock.time += 1.0
    assert turns.rest_s() == 0.0  # nothing is held against whoever comes later


async def test_one_after_the_other_as_they_came() -> None:
    turns, seen, at_work = Turns(), [], 0

    async def ask(number: int) -> None:
        nonlocal at_work
        async with turns.turn():
            at_work += 1
            assert at_work == 1
            await asyncio.sleep(0)
            seen.append(number)
            at_work -= 1

    async with asyncio.timeout(10):
        await asyncio.gather(*(ask(number) for number in range(50)))
    assert seen == list(range(50))


async def test_what_takes_long_holds_up_nobody_for_long() -> None:
    turns, ended = Turns(), []

    async def ask(name: str, seconds: float) -> None:
        async with turns.turn():
            await asyncio.sleep(seconds)
            ended.append(name)

    async with asyncio.timeout(10):
        await asyncio.gather(ask("long", 20 * TURN_S), ask("short", 0.0), ask("also short", 0.0))
    assert ended == ["short", "also short", "long"]


async def test_who_gives_up_leaves_the_turn() -> None:
    turns = Turns()
    async with turns.turn():
        waiting = asyncio.create_task(turns.turn().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1), turns.turn():
        pass
