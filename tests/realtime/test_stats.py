import pytest

from realtime.stats import Load, Window
from tests.live import Clock


def test_a_window_forgets_the_oldest() -> None:
    window = Window(3)
    assert window.percentile(50) is None
    for value in (100, 1, 2, 3):
        window.add(value)
    assert window.percentile(100) == 3
    assert window.count == 4


def test_load_is_the_fraction_of_time_at_work_and_fades(clock: Clock) -> None:
    load = Load(clock)
    for _ in range(1000):
        began = clock.now
        clock.now += 0.003
        load.worked(began, clock.now)
        clock.now += 0.007
    assert load.fraction() == pytest.approx(0.3, abs=0.01)
    clock.now += 10
    assert load.fraction() < 0.001
