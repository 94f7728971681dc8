from dataclasses import replace
from typing import Any

import pytest
import torch

from pipeline.converters.rvc.architecture import VoiceModelUnusable
from pipeline.converters.rvc.checkpoint import Checkpoint, checkpoint
from pipeline.converters.rvc.merge import merge
from tests.checkpoints import SIZE, size_of, weights


def voice(seed: int, size: Any = SIZE, **how: Any) -> Checkpoint:
    return checkpoint(weights(size, seed, **how), size, "")


def test_tensors_are_interpolated_and_speakers_of_both_are_there() -> None:
    first, second = voice(1), voice(2, size_of(speakers=5))
    made = merge(first, second, 0.25, (2, 4))
    assert made.architecture == replace(SIZE, speakers=3)
    for name, tensor in made.stored.items():
        if name != "emb_g.weight":
            assert tensor.dtype == torch.float16
            between = 0.75 * first.stored[name].float() + 0.25 * second.stored[name].float()
            assert torch.allclose(tensor.float(), between, atol=1e-3)
    a, b = first.stored["emb_g.weight"][2], second.stored["emb_g.weight"][4]
    assert torch.equal(made.stored["emb_g.weight"][1:], torch.stack((a, b)))
    assert torch.allclose(
        made.stored["emb_g.weight"][0].float(), 0.75 * a.float() + 0.25 * b.float(), atol=1e-3
    )
    assert made.synthesiser().architecture == made.architecture


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_at_the_ends_it_is_one_of_them(share: float) -> None:
    both = voice(1), voice(2)
    made, alone = merge(*both, share).synthesiser(), both[round(share)].synthesiser()
    for name, tensor in made.state_dict().items():
        if name != "emb_g.weight":
            assert torch.equal(tensor, alone.state_dict()[name])


def test_normalisation_that_was_multiplied_out_is_no_hindrance() -> None:
    first, second = voice(1), voice(1, normalised=False)
    made = merge(second, first, 0.0).synthesiser().state_dict()
    expected = second.synthesiser().state_dict()
    for name in made.keys() - {"emb_g.weight"}:
        assert torch.allclose(made[name], expected[name], rtol=2e-3, atol=1e-4), name


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"version": "v1"}, "RVC version differs"),
        ({"pitched": False}, r"use of pitch differs \(with and without\)"),
        ({"width": 32}, "width differs"),
        ({"rates": (10, 10, 2, 2), "up_kernels": (16, 16, 4, 4), "sample_rate": 40_000}, "differs"),
    ],
)
def test_others_are_refused_in_words(other: dict[str, Any], words: str) -> None:
    with pytest.raises(VoiceModelUnusable, match=words) as refused:
        merge(voice(1), voice(2, size_of(**other)), 0.5)
    assert refused.value.suggestions


def test_shares_and_speakers_that_are_none() -> None:
    for share in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="share"):
            merge(voice(1), voice(2), share)
    with pytest.raises(ValueError, match="3 speakers"):
        merge(voice(1), voice(2), 0.5, (0, 3))
