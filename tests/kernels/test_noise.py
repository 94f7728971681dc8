"""Noise by its place: normal, and the same wherever one begins."""

from __future__ import annotations

import torch

from kernels.noise import normal


def test_it_is_normal_and_white() -> None:
    x = normal(torch.tensor([7]), torch.tensor([0]), 400_000)[0].double()
    assert abs(float(x.mean())) < 0.01
    assert abs(float(x.var()) - 1) < 0.01
    assert abs(float((x**4).mean()) - 3) < 0.05
    assert abs(float((x[1:] * x[:-1]).mean())) < 0.01
    assert torch.isfinite(x).all()


def test_a_place_is_a_value() -> None:
    seeds, start = torch.tensor([1, 2]), torch.tensor([1000, -5])
    whole = normal(seeds, start, 300)
    part = normal(seeds, start + 120, 100)
    assert torch.equal(whole[:, 120:220], part)
    assert not torch.equal(whole[0], whole[1])


def test_rows_do_not_hear_each_other() -> None:
    both = normal(torch.tensor([3, 4]), torch.tensor([0, 9]), 50)
    assert torch.equal(both[1:], normal(torch.tensor([4]), torch.tensor([9]), 50))
