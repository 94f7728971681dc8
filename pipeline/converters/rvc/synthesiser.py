"""The network of an RVC voice: prior encoder, flow and decoder, one after another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.converters.rvc.architecture import Architecture
from pipeline.converters.rvc.flow import Flow
from pipeline.converters.rvc.prior import Prior
from pipeline.vocoder.nsf import DecoderSize, Generator

TEMPERATURE = 0.66666  # how much of the prior's spread is drawn


class Synthesiser(nn.Module):
    """Content, pitch and a speaker to sound. Attributes are named as the keys of a checkpoint."""

    def __init__(self, size: Architecture) -> None:
        super().__init__()
        self.architecture = size
        self.enc_p = Prior(size)
        self.flow = Flow(size)
        self.dec = Generator(
            DecoderSize(
                size.inter,
                size.width,
                size.rates,
                size.up_kernels,
                size.res_kernels,
                size.res_dilations,
                size.speaker_width,
                size.pitched,
            )
        )
        self.emb_g = nn.Embedding(size.speakers, size.speaker_width)

    def latent(self, phone: Tensor, pitch: Tensor | None, speaker: Tensor, noise: Tensor) -> Tensor:
        """What the decoder is given.

        Args:
            phone: (n, frames, features).
            pitch: (n, frames) int64, 1 to 255; None for a model without pitch.
            speaker: (n, speaker, 1), of `speaker`.
            noise: (n, inter, frames), standard normal.

        Returns:
            (n, inter, frames).
        """
        mean, log_std = self.enc_p(phone, pitch)
        return self.drawn(mean, log_std, noise, speaker)

    def drawn(self, mean: Tensor, log_std: Tensor, noise: Tensor, speaker: Tensor) -> Tensor:
        """Latents drawn from the prior (n, inter, frames) by `noise`, and moved to the speaker."""
        made: Tensor = self.flow(mean + torch.exp(log_std) * noise * TEMPERATURE, speaker)
        return made

    def speaker(self, speaker_id: Tensor) -> Tensor:
        """(n,) int64 -> (n, speaker, 1)."""
        made: Tensor = self.emb_g(speaker_id)
        return made[..., None]
