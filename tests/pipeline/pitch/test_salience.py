import torch

from pipeline.pitch.salience import decode

CENTS = 1200.0 + 20.0 * torch.arange(60)  # from 20 Hz on


def hz(cents: float) -> float:
    return float(10 * 2 ** (cents / 1200))


def test_a_symmetric_peak_is_its_middle() -> None:
    salience = torch.zeros(1, 5, 60)
    for frame, centre in enumerate((4, 10, 30, 50, 55)):
        salience[0, frame, centre - 4 : centre + 5] = torch.tensor(
            [0.1, 0.2, 0.4, 0.7, 0.9, 0.7, 0.4, 0.2, 0.1]
        )
    expected = torch.tensor([[hz(1200 + 20 * centre) for centre in (4, 10, 30, 50, 55)]])
    assert torch.allclose(decode(salience, CENTS, 0.03), expected, rtol=1e-6)


def test_the_mean_is_of_nine_bins_by_their_weight() -> None:
    salience = torch.zeros(60)
    salience[20], salience[21], salience[24], salience[25] = 0.6, 0.3, 0.1, 0.5  # the last is five bins away
    mean = 1200 + 20 * (20 * 0.6 + 21 * 0.3 + 24 * 0.1) / 1.0
    assert torch.isclose(decode(salience, CENTS, 0.03), torch.tensor(hz(mean)), rtol=1e-6)


def test_at_the_ends_of_the_range() -> None:
    salience = torch.zeros(2, 60)
    salience[0, :2] = torch.tensor([0.8, 0.4])
    salience[1, -2:] = torch.tensor([0.4, 0.8])
    once = decode(salience, CENTS, 0.03)
    assert torch.allclose(once, torch.tensor([hz(1200 + 20 / 3), hz(2380 - 20 / 3)]), rtol=1e-6)
    again = decode(salience, CENTS, 0.03, edges_again=True)  # the bin at the end counts five times
    assert torch.allclose(again, torch.tensor([hz(1200 + 20 / 11), hz(2380 - 20 / 11)]), rtol=1e-6)


def test_frames_that_do_not_exceed_the_threshold_are_unvoiced() -> None:
    salience = torch.zeros(3, 60)
    salience[1, 30], salience[2, 30] = 0.03, 0.0301
    found = decode(salience, CENTS, 0.03)
    assert found[:2].tolist() == [0.0, 0.0]
    assert torch.isclose(found[2], torch.tensor(hz(1800)), rtol=1e-6)
