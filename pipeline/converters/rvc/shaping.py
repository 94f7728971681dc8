"""What RVC does to pitch and features around its network, each as one formula.

Everything works on rows of a batch and on whatever device its tensors are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOW_HZ, HIGH_HZ = 50.0, 1100.0  # the range of the coarse pitch
STEPS = 254  # between its lowest and its highest number, 1 and 255
VOICED_HZ = 1.0  # a pitch below is none


def mel(hz: float) -> float:
    """A frequency on the mel scale that RVC uses (O'Shaughnessy's, with the natural logarithm)."""
    return 1127.0 * math.log(1.0 + hz / 700.0)


def coarse_pitch(f0_hz: Tensor) -> Tensor:
    """The pitch as the network numbers it: 1 + 254 (mel(f) − mel(50)) / (mel(1100) − mel(50)), rounded.

    Args:
        f0_hz: any shape; 0 unvoiced.

    Returns:
        The same shape, int64 from 1 (unvoiced, or 50 Hz and lower) to 255 (1100 Hz and higher).
    """
    mels = 1127.0 * torch.log1p(f0_hz.double() / 700.0)
    steps = (mels - mel(LOW_HZ)) * STEPS / (mel(HIGH_HZ) - mel(LOW_HZ)) + 1.0
    return steps.clamp(1.0, 1.0 + STEPS).round().long()


def to_pitch_rate(features: Tensor) -> Tensor:
    """50 to 100 frames a second, each frame twice: (rows, frames, dims) -> (rows, 2 · frames, dims)."""
    return features.repeat_interleave(2, 1)


def protect(mixed: Tensor, own: Tensor, f0_hz: Tensor, amount: Tensor | float) -> Tensor:
    """Keep consonants and breaths from the index: m · mixed + (1 − m) · own, m = 1 voiced, `amount` unvoiced.

    RVC acts so below an amount of 0.5 and not at all from there on.

    Args:
        mixed: (rows, frames, dims) features after retrieval.
        own: (rows, frames, dims) features before it.
        f0_hz: (rows, frames) pitch, 0 unvoiced. Newer RVC fills unvoiced gaps before it comes here, so that it
            protects nothing; give it the pitch as it was found.
        amount: 0 (all of the singer's own) to 0.5 (off), one for all or (rows,).

    Returns:
        (rows, frames, dims).
    """
    given = torch.as_tensor(amount, device=mixed.device, dtype=torch.float32).reshape(-1, 1)
    unvoiced = torch.where(given < 0.5, given, 1.0)
    mask = torch.where(f0_hz < VOICED_HZ, unvoiced, 1.0).unsqueeze(2).to(mixed.dtype)
    return mask * mixed + (1 - mask) * own
