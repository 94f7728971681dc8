"""The prior encoder of RVC: content and pitch to the mean and spread of latents, by a small transformer.

Kim et al., "Conditional variational autoencoder with adversarial learning for end-to-end text-to-speech"
(VITS), 2021 (arXiv:2106.06103); relative positions after Shaw et al., 2018 (arXiv:1803.02155). Names of layers
are those of RVC's checkpoints.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.converters.rvc.architecture import Architecture

WINDOW = 10  # frames to either side whose distance attention knows


class Attention(nn.Module):
    """Self-attention over all frames, with learnt vectors for distances up to WINDOW."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.each = heads, width // heads
        self.conv_q = nn.Conv1d(width, width, 1)
        self.conv_k = nn.Conv1d(width, width, 1)
        self.conv_v = nn.Conv1d(width, width, 1)
        self.conv_o = nn.Conv1d(width, width, 1)
        self.emb_rel_k = nn.Parameter(torch.zeros(1, 2 * WINDOW + 1, self.each))
        self.emb_rel_v = nn.Parameter(torch.zeros(1, 2 * WINDOW + 1, self.each))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, frames) -> the same shape."""
        count, _, frames = x.shape
        q, k, v = (
            conv(x).view(count, self.heads, self.each, frames).transpose(2, 3)
            for conv in (self.conv_q, self.conv_k, self.conv_v)
        )
        q = q / math.sqrt(self.each)
        at = torch.arange(frames, device=x.device)
        distance = at[None, :] - at[:, None] + WINDOW  # from a frame to the one that it attends to
        near = (distance >= 0) & (distance <= 2 * WINDOW)
        by_distance = q @ self.emb_rel_k[0].T  # (n, heads, frames, 2 * WINDOW + 1)
        index = distance.clamp(0, 2 * WINDOW).expand(count, self.heads, frames, frames)
        scores = q @ k.transpose(2, 3) + by_distance.gather(3, index) * near
        share = torch.softmax(scores, -1)
        there = at[:, None] + torch.arange(-WINDOW, WINDOW + 1, device=x.device)
        inside = (there >= 0) & (there < frames)
        index = there.clamp(0, frames - 1).expand(count, self.heads, frames, 2 * WINDOW + 1)
        out = share @ v + (share.gather(3, index) * inside) @ self.emb_rel_v[0]
        made: Tensor = self.conv_o(out.transpose(2, 3).reshape(count, -1, frames))
        return made


class FeedForward(nn.Module):
    """Two convolutions with a ReLU between."""

    def __init__(self, width: int, inner: int, kernel: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(width, inner, kernel, padding=kernel // 2)
        self.conv_2 = nn.Conv1d(inner, width, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, frames) -> the same shape."""
        made: Tensor = self.conv_2(torch.relu(self.conv_1(x)))
        return made


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of (n, channels, frames)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each frame."""
        made = functional.layer_norm(x.transpose(1, 2), self.gamma.shape, self.gamma, self.beta, 1e-5)
        return made.transpose(1, 2)


class Transformer(nn.Module):
    """Layers of attention and feed-forward, each normalised after it is added (post-LN)."""

    def __init__(self, size: Architecture) -> None:
        super().__init__()
        each = range(size.layers)
        self.attn_layers = nn.ModuleList(Attention(size.hidden, size.heads) for _ in each)
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(size.hidden) for _ in each)
        self.ffn_layers = nn.ModuleList(FeedForward(size.hidden, size.filter, size.kernel) for _ in each)
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(size.hidden) for _ in each)

    def forward(self, x: Tensor) -> Tensor:
        """(n, hidden, frames) -> the same shape."""
        layers = zip(self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True)
        for attention, first, feed, second in layers:
            x = first(x + attention(x))
            x = second(x + feed(x))
        return x


class Prior(nn.Module):
    """Content features and pitch to the distribution of latents."""

    def __init__(self, size: Architecture) -> None:
        super().__init__()
        self.hidden = size.hidden
        self.emb_phone = nn.Linear(size.features, size.hidden)
        if size.pitched:
            self.emb_pitch = nn.Embedding(256, size.hidden)
        self.encoder = Transformer(size)
        self.proj = nn.Conv1d(size.hidden, 2 * size.inter, 1)

    def forward(self, phone: Tensor, pitch: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log of the standard deviation, each (n, inter, frames).

        Args:
            phone: (n, frames, features) content, 100 frames a second.
            pitch: (n, frames) int64, 1 to 255 as `shaping.coarse_pitch` gives it; None without pitch.
        """
        x = self.emb_phone(phone)
        if pitch is not None:
            x = x + self.emb_pitch(pitch)
        x = functional.leaky_relu(x * math.sqrt(self.hidden), 0.1).transpose(1, 2)
        mean, log_std = self.proj(self.encoder(x)).chunk(2, 1)
        return mean, log_std
