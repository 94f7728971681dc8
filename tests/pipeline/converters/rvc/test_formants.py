"""Formants move, pitch stays, and the grid of frames does not show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.converters.rvc.formants import FormantShift
from pipeline.pitch import live
from pipeline.synthetic import sing, vibrato

RATE = 48_000


def _voice() -> torch.Tensor:
    return torch.from_numpy(sing(vibrato(150, 0.6, RATE), RATE, np.random.default_rng(1), snr_db=60))[None]


def _moved(x: torch.Tensor, factor: float) -> torch.Tensor:
    shift = FormantShift(RATE)
    samples = (x.shape[1] - 2 * shift.side) // shift.hop * shift.hop
    return shift(x[:, : samples + 2 * shift.side], torch.tensor([factor]))


def _centre_hz(x: torch.Tensor) -> float:
    power = torch.fft.rfft(x[0].double()).abs() ** 2
    hz = torch.linspace(0, RATE / 2, len(power), dtype=torch.float64)
    return float((power * hz).sum() / power.sum())


def test_nothing_asked_is_the_input() -> None:
    x, side = _voice(), FormantShift(RATE).side
    out = _moved(x, 1.0)
    assert float((out - x[:, side : side + out.shape[1]]).abs().max()) < 1e-5


@pytest.mark.parametrize("semitones", [-6.0, 6.0])
def test_the_envelope_moves_and_the_pitch_stays(semitones: float) -> None:
    x = _voice()
    out = _moved(x, 2 ** (semitones / 12))
    ratio = _centre_hz(out) / _centre_hz(x)
    assert (ratio > 1.1) if semitones > 0 else (ratio < 0.92)
    f0 = live.track(out[0].numpy())[0]
    assert abs(1200 * np.log2(np.median(f0[f0 > 0]) / 150)) < 15


def test_a_cut_does_not_show() -> None:
    x, shift = _voice(), FormantShift(RATE)
    factor, side = torch.tensor([1.2]), shift.side
    whole = shift(x[:, : 9600 + 2 * side], factor)
    first = shift(x[:, : 4800 + 2 * side], factor)
    second = shift(x[:, 4800 : 9600 + 2 * side], factor)
    assert torch.allclose(torch.cat((first, second), 1), whole, atol=1e-6)
