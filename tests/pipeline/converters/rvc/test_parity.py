"""Checkpoints in the real format give what the reference implementation gives for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.converters.rvc.checkpoint import load_checkpoint
from pipeline.converters.rvc.shaping import coarse_pitch
from tests.rvc import fixtures

NAMES = ("rvc_v1_32k_small", "rvc_v2_40k_small", "rvc_v2_48k_small")


def _relative(got: Tensor, expected: Tensor) -> float:
    return float((got - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_agrees(name: str) -> None:
    path = next(path for path in fixtures() if path.stem == name)
    network = load_checkpoint(path).synthesiser()
    size = network.architecture
    with np.load(path.with_suffix(".npz")) as arrays:
        given = {key: torch.from_numpy(arrays[key]) for key in arrays}
    with torch.inference_mode():
        mean, log_std = network.enc_p(given["phone"], given["pitch_coarse"])
        speaker = network.speaker(given["speaker_id"])
        latent = network.latent(given["phone"], given["pitch_coarse"], speaker, torch.zeros_like(mean))
        frames = given["f0_hz"].shape[1]
        source, phases = network.dec.m_source(
            given["f0_hz"], torch.zeros(1, frames * size.hop), torch.zeros(1), size.hop, size.sample_rate
        )
        audio = network.dec(latent, speaker, source)
    assert torch.equal(coarse_pitch(given["f0_hz"]), given["pitch_coarse"])
    assert _relative(mean, given["mean"]) < 1e-4
    assert _relative(log_std, given["log_std"]) < 1e-4
    assert _relative(latent, given["latent"]) < 1e-4
    assert _relative(source.transpose(1, 2), given["source"]) < 1e-4
    assert _relative(audio, given["audio"]) < 1e-4
    assert phases.shape == (1, frames + 1)


def test_the_fixtures_are_those_that_are_tested() -> None:
    assert {Path(path).stem for path in fixtures()} == set(NAMES)
