"""The network of the live pitch tracker, as it is trained; `pipeline.pitch.network` says what it does."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pipeline.pitch.network import CHANNELS, FIRST, GRIDS, HIDDEN, LEAK, TAPS
from pipeline.pitch.views import PITCHES, VALUES

Grids = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]


class PitchNet(nn.Module):
    """Views (batch, hops, VALUES + 1) -> log probabilities (batch, hops, PITCHES + 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(len(FIRST) + 2, CHANNELS)
        self.layers = nn.ModuleList(nn.Linear(len(taps) * CHANNELS, CHANNELS) for taps in TAPS)
        self.last = nn.Linear(CHANNELS, 1, bias=False)
        self.pooled = nn.Linear(2 * CHANNELS + 1, HIDDEN)
        self.voicing = nn.Linear(HIDDEN, 1)
        ramp = 2 * torch.arange(PITCHES) / PITCHES - 1
        self.ramp: Tensor
        self.register_buffer("ramp", ramp, persistent=False)

    def forward(self, seen: Tensor) -> Tensor:
        """See the class; hops before the first are taken for zero."""
        level = seen[..., VALUES:]
        rows = [_window(seen[..., begin:end], start) for begin, end, start in FIRST]
        rows += [level.expand(*level.shape[:-1], PITCHES), self.ramp.expand(*level.shape[:-1], PITCHES)]
        weight = self.first.weight[..., None, None]
        x = functional.leaky_relu(functional.conv2d(torch.stack(rows, 1), weight, self.first.bias), LEAK)
        for layer, grids in zip(self.layers, GRIDS, strict=True):
            assert isinstance(layer, nn.Linear)
            x = x + _convolved(layer, grids, x)
        pitch = functional.conv2d(x, self.last.weight[..., None, None]).squeeze(1)
        pooled = torch.cat((x.amax(-1), x.mean(-1)), 1).transpose(1, 2)
        hidden = functional.leaky_relu(self.pooled(torch.cat((pooled, level), -1)), LEAK)
        return functional.log_softmax(torch.cat((pitch, self.voicing(hidden)), -1), -1)

    def exported(self) -> dict[str, NDArray[np.float32]]:
        """The weights by the names of `pipeline.pitch.network.Network`."""
        linear = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        tensors = {
            "first": self.first.weight,
            "first_bias": self.first.bias,
            "layers": torch.stack([layer.weight for layer in linear]),
            "biases": torch.stack([layer.bias for layer in linear]),
            "last": self.last.weight[0],
            "pooled": self.pooled.weight,
            "pooled_bias": self.pooled.bias,
            "voicing": torch.cat((self.voicing.weight[0], self.voicing.bias)),
        }
        return {name: np.ascontiguousarray(t.detach().float().numpy()) for name, t in tensors.items()}


def _convolved(layer: nn.Linear, grids: Grids, x: Tensor) -> Tensor:
    """(batch, channels, hops, pitches) -> the same shape: a convolution with the taps of some grids."""
    made = layer.bias.view(-1, 1, 1)
    place = 0
    for back, steps in grids:
        width = len(back) * len(steps) * CHANNELS
        kernel = layer.weight[:, place : place + width].reshape(CHANNELS, len(back), len(steps), CHANNELS)
        place += width
        apart = (back[1] if len(back) > 1 else 1, steps[1] - steps[0])
        padded = functional.pad(x, (-steps[0], steps[-1], back[-1], 0))
        made = made + functional.conv2d(padded, kernel.permute(0, 3, 1, 2).flip(2), dilation=apart)
    return functional.leaky_relu(made, LEAK)


def _window(view: Tensor, start: int) -> Tensor:
    """PITCHES values of (…, bins) from `start` on, zero beyond the ends."""
    before, after = max(-start, 0), max(start + PITCHES - view.shape[-1], 0)
    return functional.pad(view, (before, after))[..., start + before : start + before + PITCHES]
