"""The network of `native`: what the singer's sound would look like, spectrally, in the target's voice.

Attention reads frames of the target that say what the singer's frame says (a soft form of Baas et al., "Voice
conversion with just nearest neighbors", Interspeech 2023), and a causal decoder turns what it read into the
spectral envelope that the target would have had.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.content import Blocks, ContentEncoder, Size, encoder_inputs
from pipeline.timbre import BANDS

PITCH_FEATURES = 3
NOWHERE = 1e-9  # the weight of a frame that is not there


def pitch_features(f0_hz: Tensor) -> Tensor:
    """Voicing, and pitch on a scale where speech is around zero: (…,) Hz, 0 unvoiced -> (…, 3)."""
    voiced = (f0_hz > 0).to(f0_hz.dtype)
    octaves = torch.log2(f0_hz.clamp(min=40.0) / 180.0) * voiced
    return torch.stack((voiced, octaves, octaves * octaves), -1)


class VoiceEncoder(nn.Module):
    """Frames of a voice, (batch, frames, BANDS + PITCH_FEATURES), to one vector (batch, voice)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        width = size.width
        self.each = nn.Sequential(
            nn.Linear(BANDS + PITCH_FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.all = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, size.voice))

    def forward(self, frames: Tensor, weight: Tensor) -> Tensor:
        """`weight` (batch, frames) says how much each frame counts."""
        x = self.each(frames)
        share = (weight / weight.sum(1, keepdim=True).clamp(min=1e-3)).unsqueeze(-1)
        mean = (share * x).sum(1)
        spread = ((share * (x - mean.unsqueeze(1)) ** 2).sum(1) + 1e-5).sqrt()
        vector: Tensor = self.all(torch.cat((mean, spread), -1))
        return functional.layer_norm(vector, vector.shape[-1:])


@dataclass
class Bank:
    """A target, ready to be read: frames of it as keys and values."""

    keys: Tensor  # (batch, heads, frames, content)
    values: Tensor  # (batch, heads, frames, width // heads)
    shapes: Tensor  # (batch, frames, BANDS)
    bias: Tensor  # (batch, frames) added to the scores
    voice: Tensor  # (batch, voice)


class Reader(nn.Module):
    """Attention from the singer's frames to the target's."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads, self.content = size.heads, size.content
        self.query = nn.Linear(size.content + PITCH_FEATURES, size.heads * size.content)
        self.key = nn.Linear(size.content + PITCH_FEATURES, size.heads * size.content)
        self.value = nn.Linear(size.content + BANDS, size.width)
        self.scale = nn.Parameter(torch.zeros(size.heads))

    def bank(self, content: Tensor, shapes: Tensor, pitch: Tensor, weight: Tensor, voice: Tensor) -> Bank:
        """Make a bank of frames (batch, frames, …); those of no weight are left out."""
        batch, frames, _ = content.shape
        keys = self.key(torch.cat((content, pitch), -1)).view(batch, frames, self.heads, -1)
        values = self.value(torch.cat((content, shapes), -1)).view(batch, frames, self.heads, -1)
        bias = torch.log(weight.clamp(min=NOWHERE))
        return Bank(keys.transpose(1, 2), values.transpose(1, 2), shapes, bias, voice)

    def queries(self, content: Tensor, pitch: Tensor) -> Tensor:
        """(…, content) -> (…, heads, content), scaled."""
        query = self.query(torch.cat((content, pitch), -1)).unflatten(-1, (self.heads, -1))
        scaled: Tensor = query * (torch.exp(self.scale) / math.sqrt(self.content)).unsqueeze(-1)
        return scaled

    def forward(self, content: Tensor, pitch: Tensor, bank: Bank) -> tuple[Tensor, Tensor]:
        """What the target has at (batch, frames, …): read values (…, width), and its mean shape (…, BANDS)."""
        query = self.queries(content, pitch).transpose(1, 2)
        scores = query @ bank.keys.transpose(2, 3) + bank.bias[:, None, None]
        share = torch.softmax(scores, -1)
        read = (share @ bank.values).transpose(1, 2).flatten(2)
        return read, share[:, 0] @ bank.shapes


class Decoder(nn.Module):
    """What was read, to the shape of the envelope that the target would have had, (batch, frames, BANDS)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        inputs = size.content + PITCH_FEATURES + size.width + BANDS + size.voice + 1
        self.first = nn.Linear(inputs, size.width)
        self.body = Blocks(size, size.decoder)
        self.last = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, BANDS))

    def forward(self, inputs: Tensor, shape: Tensor) -> Tensor:
        """`inputs` as `decoder_inputs` makes them, `shape` as it was read."""
        return self.finish(self.body(self.first(inputs)), shape)

    def finish(self, x: Tensor, shape: Tensor) -> Tensor:
        """What follows the blocks."""
        out: Tensor = shape + self.last(x)
        return out


def decoder_inputs(
    content: Tensor, level: Tensor, pitch: Tensor, read: Tensor, shape: Tensor, voice: Tensor
) -> Tensor:
    """Put together what the decoder takes, from (…, features) each; `level` is (…,)."""
    return torch.cat((content, level.unsqueeze(-1), pitch, read, shape, voice), -1)


class NativeNet(nn.Module):
    """All of it. Shapes are log power by band of `pipeline.timbre`, less its mean over the bands HEARD."""

    def __init__(self, size: Size | None = None) -> None:
        super().__init__()
        self.size = size or Size()
        self.encoder = ContentEncoder(self.size)
        self.voice_encoder = VoiceEncoder(self.size)
        self.reader = Reader(self.size)
        self.decoder = Decoder(self.size)

    def encode(self, shapes: Tensor, level: Tensor, f0_hz: Tensor, average: Tensor) -> Tensor:
        """Content (batch, frames, content) of frames; see `encoder_inputs`."""
        content: Tensor = self.encoder(encoder_inputs(shapes, level, f0_hz, average))
        return content

    def enrol(self, content: Tensor, shapes: Tensor, f0_hz: Tensor, weight: Tensor) -> Bank:
        """A target from frames of it, (batch, frames, …), and the `weight` (batch, frames) of each."""
        pitch = pitch_features(f0_hz)
        voice = self.voice_encoder(torch.cat((shapes / 4.0, pitch), -1), weight)
        return self.reader.bank(content, shapes, pitch, weight, voice)

    def render(self, content: Tensor, level: Tensor, f0_hz: Tensor, bank: Bank) -> Tensor:
        """Shapes (batch, frames, BANDS) of the target, singing `content` at pitches f0_hz (batch, frames)."""
        pitch = pitch_features(f0_hz)
        read, shape = self.reader(content, pitch, bank)
        voice = bank.voice.unsqueeze(1).expand(-1, content.shape[1], -1)
        rendered: Tensor = self.decoder(decoder_inputs(content, level, pitch, read, shape, voice), shape)
        return rendered


def parameters(net: nn.Module) -> int:
    """How many numbers a network has learnt."""
    return sum(p.numel() for p in net.parameters())
