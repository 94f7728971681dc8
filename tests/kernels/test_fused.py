"""Fused kernels against what they replace, in Triton's interpreter; on a card where there is one."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kernels import fusion
from kernels.conv_input import conv_input
from kernels.noise import normal
from pipeline.vocoder.nsf import NOISE_LEVEL, SINE_LEVEL, UNVOICED_LEVEL, Source

pytest.importorskip("triton")

HELD = 3 + 4 * 6 + 5  # numbers of other layers before and after those of four channels


def interpreted(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # read where kernels are decorated
    module = importlib.reload(importlib.import_module(name))
    yield module
    monkeypatch.undo()
    importlib.reload(module)


@pytest.fixture
def conv(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    yield from interpreted("kernels.triton_conv_input", monkeypatch)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    yield from interpreted("kernels.triton_source", monkeypatch)


def expected(x: Tensor, slope: float, left: int, right: int, held: Tensor, at: int, end: int) -> list[Tensor]:
    """By the book: activation, concatenation, padding, a slice."""
    now = functional.leaky_relu(x, slope)
    past = held[:, at : at + x.shape[1] * left].view(*x.shape[:2], left)
    joined = torch.cat((past, now), -1)
    return [functional.pad(joined, (0, right)), joined[..., end : end + left].flatten(1)]


CASES = [(5, 6, 2, 4), (40, 6, 6, 40), (1500, 6, 0, 700), (7, 0, 3, 2), (3, 6, 1, 0)]


@pytest.mark.parametrize(("time", "left", "right", "end"), CASES)
@pytest.mark.parametrize("slope", [0.1, 1.0])
def test_the_input_of_a_convolution(
    conv: ModuleType, time: int, left: int, right: int, end: int, slope: float
) -> None:
    x, held = torch.randn(3, 4, time), torch.randn(3, HELD)
    wanted = expected(x, slope, left, right, held, 3, end)
    for call in (conv_input, conv.launch):
        kept = torch.full_like(held, 7.0)
        made = call(x, slope, left, right, held, kept, 3, end)
        assert torch.equal(made, wanted[0])
        assert torch.equal(kept[:, 3 : 3 + 4 * left], wanted[1])
        kept[:, 3 : 3 + 4 * left] = 7.0
        assert (kept == 7.0).all()  # nothing of other layers is touched


def test_it_takes_what_lies_otherwise_in_memory(conv: ModuleType) -> None:
    x, held = torch.randn(2, 9, 4).transpose(1, 2), torch.randn(2, HELD)
    wanted, _ = expected(x, 0.1, 6, 2, held, 0, 3)
    assert torch.equal(conv.launch(x, 0.1, 6, 2, held, torch.empty_like(held), 0, 3), wanted)


def test_the_source(source: ModuleType) -> None:
    made = Source()
    with torch.inference_mode():
        made.l_linear.weight.fill_(0.7)
        made.l_linear.bias.fill_(-0.02)
        f0 = torch.tensor([[220.0, 221.5, 0.0, 90.0], [0.0, 1046.0, 80.0, 400.0]])
        seeds, starts = torch.tensor([5, -8]), torch.tensor([1 << 40, 12_345])
        phase, hop, rate = torch.tensor([0.25, 0.99], dtype=torch.float64), 480, 48_000
        wanted, ends = made(f0, normal(seeds, starts, 4 * hop), phase, hop, rate)
        levels = (SINE_LEVEL, NOISE_LEVEL, UNVOICED_LEVEL)
        found = source.launch(f0, ends, seeds, starts, made.l_linear, hop, rate, levels)
    assert found.shape == wanted.shape == (2, 1, 4 * hop)
    assert float((found - wanted).abs().max()) < 2e-6


def test_without_a_card_nothing_is_fused() -> None:
    assert not fusion.available(torch.zeros(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")
def test_on_a_card_it_is_the_same() -> None:
    x, held = torch.randn(3, 4, 1500, device="cuda"), torch.randn(3, HELD, device="cuda")
    assert fusion.available(x)
    found = conv_input(x, 0.1, 6, 2, held, kept := torch.zeros_like(held), 3, 700)
    with fusion.unfused():
        assert not fusion.available(x)
        plain = conv_input(x, 0.1, 6, 2, held, other := torch.zeros_like(held), 3, 700)
    assert torch.equal(found, plain)
    assert torch.equal(kept, other)
    source = Source().cuda()
    f0, phase = torch.full((3, 8), 220.0, device="cuda"), torch.zeros(3, dtype=torch.float64, device="cuda")
    seeds = torch.arange(3, device="cuda")
    with torch.inference_mode():
        one, _ = source.placed(f0, seeds, seeds, phase, 480, 48_000)
        with fusion.unfused():
            two, _ = source.placed(f0, seeds, seeds, phase, 480, 48_000)
    assert float((one - two).abs().max()) < 1e-5
