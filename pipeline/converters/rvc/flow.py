"""The normalising flow of RVC, run backwards: latents of anybody to latents of the speaker.

Coupling layers around a WaveNet, from VITS (arXiv:2106.06103). Names of layers are those of RVC's checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.converters.rvc.architecture import Architecture

KERNEL, LAYERS, COUPLINGS = 5, 3, 4
REACH = COUPLINGS * LAYERS * (KERNEL // 2)  # frames to either side beyond which nothing is heard


class WaveNet(nn.Module):
    """Gated convolutions, told who the speaker is."""

    def __init__(self, hidden: int, speaker: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.cond_layer = nn.Conv1d(speaker, 2 * hidden * LAYERS, 1)
        self.in_layers = nn.ModuleList(
            nn.Conv1d(hidden, 2 * hidden, KERNEL, padding=KERNEL // 2) for _ in range(LAYERS)
        )
        widths = [2 * hidden] * (LAYERS - 1) + [hidden]
        self.res_skip_layers = nn.ModuleList(nn.Conv1d(hidden, width, 1) for width in widths)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """(n, hidden, frames) and (n, speaker, 1) -> (n, hidden, frames)."""
        told = self.cond_layer(speaker).chunk(LAYERS, 1)
        out = torch.zeros_like(x)
        for heard, layer, skip in zip(told, self.in_layers, self.res_skip_layers, strict=True):
            a, b = (layer(x) + heard).chunk(2, 1)
            made = skip(torch.tanh(a) * torch.sigmoid(b))
            if made.shape[1] > self.hidden:
                x = x + made[:, : self.hidden]
            out = out + made[:, -self.hidden :]
        return out


class Coupling(nn.Module):
    """Moves half of the channels by what the other half and the speaker say."""

    def __init__(self, size: Architecture) -> None:
        super().__init__()
        half = size.inter // 2
        self.pre = nn.Conv1d(half, size.hidden, 1)
        self.enc = WaveNet(size.hidden, size.speaker_width)
        self.post = nn.Conv1d(size.hidden, half, 1)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """Undo what training did: (n, inter, frames) -> the same shape."""
        keeps, moves = x.chunk(2, 1)
        return torch.cat((keeps, moves - self.post(self.enc(self.pre(keeps), speaker))), 1)


class Flow(nn.Module):
    """All couplings; between them the channels are turned round."""

    def __init__(self, size: Architecture) -> None:
        super().__init__()
        # even places, as in checkpoints: at the odd ones is what turns the channels round
        self.flows = nn.ModuleDict({str(2 * i): Coupling(size) for i in range(COUPLINGS)})

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """(n, inter, frames) drawn from the prior, and (n, speaker, 1) -> latents for the decoder."""
        for coupling in reversed(list(self.flows.values())):
            x = coupling(torch.flip(x, (1,)), speaker)
        return x
