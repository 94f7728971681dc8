import threading

import numpy as np
import pytest

from kernels.hands import Hands


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 32])
def test_every_row_is_done_once_by_tools_that_nobody_else_uses(threads: int, count: int) -> None:
    hands: Hands[list[int]] = Hands(threads, list)
    done = np.zeros(count, int)
    busy = [threading.Lock() for _ in range(threads)]
    seen: list[int] = []

    def work(start: int, end: int, tools: list[int]) -> None:
        which = next(i for i, t in enumerate(hands._tools) if t is tools)
        assert busy[which].acquire(blocking=False)
        done[start:end] += 1
        seen.append(which)
        busy[which].release()

    for _ in range(10):
        hands.share(count, work)
    assert (done == 10).all()
    assert set(seen) == set(range(max(min(threads, count // 2), 1)))


def test_a_part_that_fails_is_told_after_all_have_stopped() -> None:
    hands: Hands[list[int]] = Hands(2, list)
    finished = []

    def work(start: int, end: int, tools: list[int]) -> None:
        if start:
            raise ZeroDivisionError
        finished.append((start, end))

    with pytest.raises(ZeroDivisionError):
        hands.share(8, work)
    assert finished == [(0, 4)]
    hands.share(1, work)


def test_somebody_must_work() -> None:
    with pytest.raises(ValueError, match="at least one thread, not 0"):
        Hands(0, list)
