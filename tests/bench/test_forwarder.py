"""The line's decisions, without a line."""

from __future__ import annotations

import random
from itertools import groupby, pairwise

import pytest

from bench.forwarder import Direction, Weather

PACKETS = 200_000


def fates(weather: Weather, seed: int = 1) -> list[float | None]:
    """Seconds that each of many packets takes, a packet every 10 ms; None for the lost ones."""
    direction = Direction(random.Random(seed))
    direction.weather = weather
    dues = [direction.due(n / 100) for n in range(PACKETS)]
    return [None if due is None else due - n / 100 for n, due in enumerate(dues)]


def test_a_fine_line_is_only_long() -> None:
    assert {round(taken, 9) for taken in fates(Weather(delay_s=0.01)) if taken is not None} == {0.01}


@pytest.mark.parametrize("burst", [1.0, 4.0])
@pytest.mark.parametrize("loss", [0.01, 0.05, 0.1])
def test_loss_comes_in_the_amount_and_the_bursts_asked_for(loss: float, burst: float) -> None:
    lost = [taken is None for taken in fates(Weather(loss=loss, burst=burst))]
    assert sum(lost) / PACKETS == pytest.approx(loss, rel=0.2)
    runs = [len(list(run)) for gone, run in groupby(lost) if gone]
    alone = 1 / (1 - loss) if burst == 1 else burst  # chance lets even independent losses meet
    assert sum(runs) / len(runs) == pytest.approx(alone, rel=0.2)


def test_jitter_is_even_and_keeps_the_order_unless_told() -> None:
    taken = [t for t in fates(Weather(delay_s=0.01, jitter_s=0.02, reorder=True)) if t is not None]
    assert min(taken) >= 0.01
    assert max(taken) <= 0.03 + 1e-9
    assert sum(taken) / len(taken) == pytest.approx(0.02, rel=0.05)
    assert any(b + 0.01 < a for a, b in pairwise(taken))
    queued = [t for t in fates(Weather(delay_s=0.01, jitter_s=0.02)) if t is not None]
    assert all(b + 0.01 >= a - 1e-9 for a, b in pairwise(queued))


def test_chance_is_reproducible() -> None:
    weather = Weather(loss=0.05, burst=3, jitter_s=0.02)
    assert fates(weather, 3) == fates(weather, 3) != fates(weather, 4)


@pytest.mark.parametrize(
    "nonsense", [{"loss": 1.0}, {"loss": -0.1}, {"burst": 0.5}, {"delay_s": -1}, {"loss": 0.9, "burst": 2}]
)
def test_there_is_no_such_weather(nonsense: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"weather|bursts"):
        Weather(**nonsense)
