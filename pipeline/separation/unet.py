"""Spleeter's U-Net (Hennequin et al., "Spleeter: a fast and efficient music source separation tool with
pre-trained models", JOSS 2020, after Jansson et al., ISMIR 2017), as a plain torch module."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64, 128, 256, 512)
EPSILON = 1e-3  # of the batch norms

Tensors = dict[str, NDArray[np.float32]]


class UNet(nn.Module):
    """Estimates the magnitudes of one stem.

    (batch, 2, frames, bins) magnitudes -> the same shape; frames and bins are multiples of 64.
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = (2, *WIDTHS[:-1])
        self.encoders = nn.ModuleList(nn.Conv2d(i, o, 5, 2) for i, o in zip(inputs, WIDTHS, strict=True))
        self.encoder_norms = nn.ModuleList(nn.BatchNorm2d(o, EPSILON) for o in WIDTHS[:-1])
        outputs = (*WIDTHS[-2::-1], 1)
        merged = (WIDTHS[-1], *(2 * o for o in outputs[:-1]))
        self.decoders = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 5, 2) for i, o in zip(merged, outputs, strict=True)
        )
        self.decoder_norms = nn.ModuleList(nn.BatchNorm2d(o, EPSILON) for o in outputs)
        self.mask = nn.Conv2d(1, 2, 4, dilation=2, padding="same")

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Estimate; see the class."""
        skips: list[Tensor] = []
        x = magnitudes
        for index, encoder in enumerate(self.encoders):
            skips.append(encoder(functional.pad(x, (1, 2, 1, 2))))
            if index < len(self.encoder_norms):
                x = functional.leaky_relu(self.encoder_norms[index](skips[-1]), 0.2)
        x = skips.pop()
        for decoder, norm in zip(self.decoders, self.decoder_norms, strict=True):
            x = norm(torch.relu(decoder(x)[..., 1:-2, 1:-2]))
            if skips:
                x = torch.cat((skips.pop(), x), 1)
        return torch.sigmoid(self.mask(x)) * magnitudes

    def load(self, tensors: Tensors, stem: int) -> None:
        """Take the weights of stem 0 (vocals) or 1 (accompaniment) from Spleeter's 2-stem checkpoint.

        Raises:
            KeyError: a tensor is missing. ValueError: one has another shape.
        """

        def named(kind: str, index: int, part: str) -> Tensor:
            return torch.from_numpy(tensors[f"{kind}{f'_{index}' if index else ''}/{part}"])

        with torch.no_grad():
            for i, encoder in enumerate((*self.encoders, self.mask)):
                _copy(encoder, named("conv2d", 7 * stem + i, "kernel").permute(3, 2, 0, 1), "weight")
                _copy(encoder, named("conv2d", 7 * stem + i, "bias"), "bias")
            for i, decoder in enumerate(self.decoders):
                _copy(decoder, named("conv2d_transpose", 6 * stem + i, "kernel").permute(3, 2, 0, 1), "weight")
                _copy(decoder, named("conv2d_transpose", 6 * stem + i, "bias"), "bias")
            places = (*range(5), *range(6, 12))  # the norm after the last encoder is not used
            for place, norm in zip(places, (*self.encoder_norms, *self.decoder_norms), strict=True):
                for ours, theirs in (
                    ("weight", "gamma"),
                    ("bias", "beta"),
                    ("running_mean", "moving_mean"),
                    ("running_var", "moving_variance"),
                ):
                    _copy(norm, named("batch_normalization", 12 * stem + place, theirs), ours)


def _copy(module: nn.Module, tensor: Tensor, name: str) -> None:
    own: Tensor = getattr(module, name)
    if own.shape != tensor.shape:
        raise ValueError(f"{name} should have the shape {tuple(own.shape)}, not {tuple(tensor.shape)}")
    own.copy_(tensor)
