import pytest

from realtime.patience import LEAST, MOST, Patience


def test_on_a_path_that_keeps_its_order_it_is_a_part_of_a_frame() -> None:
    patience = Patience()
    for frame in (0.005, 0.01, 0.02):
        assert patience.seconds(1000.0, frame) == pytest.approx(LEAST * frame)


def test_it_rises_at_once_to_what_would_have_sufficed() -> None:
    patience = Patience()
    patience.met(0.02, 5.0)
    assert 0.02 < patience.seconds(5.0, 0.01) < 0.03
    patience.met(0.04, 5.0)
    assert 0.04 < patience.seconds(5.0, 0.01) <= MOST
    patience.met(0.001, 5.0)
    assert patience.seconds(5.0, 0.01) > 0.04  # what is less late teaches nothing


def test_it_shrinks_slowly_to_a_part_of_a_frame() -> None:
    patience = Patience()
    patience.met(0.04, 0.0)
    held = [patience.seconds(float(t), 0.01) for t in range(61)]
    assert held == sorted(held, reverse=True)
    assert held[1] > 0.9 * held[0]
    assert held[10] < 0.4 * held[0]
    assert held[60] == pytest.approx(LEAST * 0.01)


def test_it_is_bounded() -> None:
    patience = Patience(0.03)
    patience.met(0.029, 0.0)
    assert patience.seconds(0.0, 0.01) == 0.03
    assert Patience(0.03).seconds(0.0, 0.2) == 0.03


def test_the_hopelessly_late_teach_it_nothing() -> None:
    patience = Patience()
    patience.met(MOST + 0.001, 0.0)
    assert patience.seconds(0.0, 0.01) == pytest.approx(LEAST * 0.01)
