"""The decoder in a stream gives what it gives in one piece."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pipeline.vocoder.history import History, history_size
from pipeline.vocoder.nsf import Generator
from tests.rvc import architecture, synthesiser

FRAMES = 60


def _given(rate: int) -> tuple[Generator, Tensor, Tensor, Tensor]:
    """A decoder, latents, a speaker and a source."""
    network = synthesiser(
        3, architecture(rate, res_kernels=(3, 7, 11), res_dilations=((1, 3, 5),) * 3, width=32)
    )
    random = torch.Generator().manual_seed(5)
    latent = torch.randn(2, 16, FRAMES, generator=random)
    f0 = 180 + 40 * torch.randn(2, FRAMES, generator=random)
    f0[:, 20:30] = 0.0
    noise = torch.randn(2, FRAMES * network.dec.hop, generator=random)
    source, _ = network.dec.m_source(f0, noise, torch.zeros(2), network.dec.hop, rate)
    return network.dec, latent, network.speaker(torch.tensor([0, 2])), source


def _streamed(
    decoder: Generator, latent: Tensor, speaker: Tensor, source: Tensor, ahead: int, steps: list[int]
) -> Tensor:
    hop = decoder.hop
    size = history_size(lambda past: decoder(latent[:1, :, :1], speaker[:1], source[:1, :, :hop], past))
    held, at, made = torch.zeros(len(latent), size), 0, []
    while at < FRAMES:
        step = min(steps[len(made) % len(steps)], FRAMES - at)
        part = slice(at, at + step + ahead)
        past = History(held, step)
        sound = decoder(latent[..., part], speaker, source[..., part.start * hop : part.stop * hop], past)
        held = past.kept()
        made.append(sound[..., : step * hop])
        at += step
    return torch.cat(made, -1)


@pytest.mark.parametrize("rate", [32_000, 40_000, 48_000])
@pytest.mark.parametrize("steps", [[1], [4], [7, 1, 20, 3]])
def test_any_blocks_give_the_offline_result(rate: int, steps: list[int]) -> None:
    decoder, *given = _given(rate)
    with torch.inference_mode():
        whole = decoder(*given)
        streamed = _streamed(decoder, *given, ahead=decoder.reach, steps=steps)
    assert float((streamed - whole).abs().max()) < 1e-4 * float(whole.abs().max())


def test_its_reach_is_no_more_than_it_hears() -> None:
    """An impulse in one frame of the latents is heard `reach` frames away at most, and nearly as far."""
    decoder, latent, speaker, source = _given(48_000)
    changed = latent.clone()
    changed[..., 30] += 1.0
    with torch.inference_mode():
        apart = (decoder(latent, speaker, source) - decoder(changed, speaker, source)).abs().sum((0, 1)) > 1e-9
    heard = apart.view(FRAMES, decoder.hop).any(1).nonzero()
    assert 30 - decoder.reach <= int(heard.min()) <= 30 - decoder.reach + 3
    assert 30 + decoder.reach - 3 <= int(heard.max()) <= 30 + decoder.reach


def test_less_look_ahead_costs_little_by_little() -> None:
    decoder, *given = _given(48_000)
    with torch.inference_mode():
        whole = decoder(*given)
        off = [
            float((_streamed(decoder, *given, ahead=a, steps=[4]) - whole).square().mean())
            for a in (0, 2, 5, 9)
        ]
    assert off == sorted(off, reverse=True)
    assert off[0] > 0


def test_the_source_carries_its_phase() -> None:
    decoder, *_ = _given(40_000)
    f0, noise = torch.full((1, 10), 333.3), torch.zeros(1, 4000)
    whole, ends = decoder.m_source(f0, noise, torch.tensor([0.25]), 400, 40_000)
    first, middle = decoder.m_source(f0[:, :4], noise[:, :1600], torch.tensor([0.25]), 400, 40_000)
    second, _ = decoder.m_source(f0[:, 4:], noise[:, 1600:], middle[:, -1], 400, 40_000)
    assert torch.allclose(torch.cat((first, second), -1), whole, atol=1e-6)
    assert float(ends[0, 1]) == pytest.approx((0.25 + 333.3 / 100) % 1, abs=1e-6)
