"""The critic: tells shapes that a voice has from those that the network makes up.

A prediction by absolute error is the middle of what is possible, and so flatter over time and frequency than
any voice. The critic (a patch discriminator with projection of the voice, Miyato and Koyama, "cGANs with
projection discriminator", 2018; hinge loss; feature matching) makes it choose.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.content import HEARD

Features = list[Tensor]


class Critic(nn.Module):
    """(batch, frames, HEARD) shapes and (batch, voice) -> scores (batch, patches) and hidden features."""

    def __init__(self, voice: int, width: int = 128) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        self.layers = nn.ModuleList(
            norm(nn.Conv1d(a, width, 5, stride=s, padding=2))
            for a, s in ((HEARD + 1, 1), (width, 2), (width, 2))
        )
        self.score = norm(nn.Conv1d(width, 1, 3, padding=1))
        self.voice = nn.Linear(voice, width)

    def forward(self, shapes: Tensor, pitch: Tensor, voice: Tensor) -> tuple[Tensor, Features]:
        """`pitch` is (batch, frames) in octaves, 0 unvoiced."""
        x = torch.cat((shapes / 3.0, pitch.unsqueeze(-1)), -1).transpose(1, 2)
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        agree = (self.voice(voice).unsqueeze(-1) * x).mean(1)
        return self.score(x).squeeze(1) + agree, features


def critic_loss(real: Tensor, made: Tensor) -> Tensor:
    """Hinge."""
    return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()


def matching(real: Features, made: Features) -> Tensor:
    """Mean absolute difference of hidden features."""
    total = torch.zeros(())
    for a, b in zip(real, made, strict=True):
        total = total + (a.detach() - b).abs().mean()
    return total / len(real)
