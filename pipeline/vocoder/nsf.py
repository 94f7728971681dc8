"""HiFi-GAN with a harmonic source (NSF), as RVC decodes with it, in one piece or in a stream.

HiFi-GAN: Kong et al., 2020 (arXiv:2010.05646), generator V1. Source: Wang et al., "Neural source-filter
waveform models", 2019 (arXiv:1904.12088). Names of layers are those of RVC's checkpoints; weight normalisation
is multiplied out when they are read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kernels import fusion
from kernels.noise import normal
from pipeline.vocoder.history import Beginning, Past

SINE_LEVEL = 0.1
NOISE_LEVEL = 0.003  # beside the sine
UNVOICED_LEVEL = SINE_LEVEL / 3  # without one
SLOPE = 0.1  # of the leaky ReLUs, and ...
LAST_SLOPE = 0.01  # ... of the one before the last convolution


@dataclass(frozen=True)
class DecoderSize:
    """Shape of a generator."""

    inter: int  # channels of latents
    width: int  # channels before the first upsampling; halved at each
    rates: tuple[int, ...]
    up_kernels: tuple[int, ...]
    res_kernels: tuple[int, ...]
    res_dilations: tuple[tuple[int, ...], ...]
    speaker: int  # width of speaker embeddings
    pitched: bool  # with a harmonic source


class Same(nn.Conv1d):
    """A convolution whose output is as long as its input."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, dilation=dilation, bias=bias)
        self.side = dilation * (kernel - 1) // 2

    def stream(self, x: Tensor, past: Past, rate: int, slope: float = 1.0) -> Tensor:
        """(n, inputs, time), through a leaky ReLU of that slope, -> (n, outputs, time)."""
        return self(past.around(x, self.side, self.side, rate, slope))  # type: ignore[no-any-return]


class Up(nn.ConvTranspose1d):
    """A transposed convolution that gives `rate` samples for each of its input."""

    def __init__(self, inputs: int, outputs: int, kernel: int, rate: int) -> None:
        super().__init__(inputs, outputs, kernel, rate)
        self.rate = rate
        self.trim = (kernel - rate) // 2
        self.left = -(-(kernel - 1 - self.trim) // rate)  # inputs before a sample that it hears

    def stream(self, x: Tensor, past: Past, rate: int) -> Tensor:
        """(n, inputs, time), through a leaky ReLU, -> (n, outputs, rate * time)."""
        made: Tensor = self(past.around(x, self.left, 0, rate, SLOPE))
        start = self.trim + self.left * self.rate
        return made[..., start : start + x.shape[-1] * self.rate]


class Down(nn.Conv1d):
    """Brings the source to the rate of a stage: (n, 1, step * time) -> (n, outputs, time)."""

    def __init__(self, outputs: int, step: int) -> None:
        super().__init__(1, outputs, 2 * step if step > 1 else 1, step)
        self.side = step // 2 if step > 1 else 0

    def stream(self, x: Tensor, past: Past, rate: int) -> Tensor:
        """`rate` is that of the source."""
        return self(past.around(x, self.side, self.side, rate))  # type: ignore[no-any-return]


class ResBlock(nn.Module):
    """Pairs of a dilated and a plain convolution, each pair beside a way past it."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(Same(channels, channels, kernel, d) for d in dilations)
        self.convs2 = nn.ModuleList(Same(channels, channels, kernel) for _ in dilations)

    def forward(self, x: Tensor, past: Past, rate: int) -> Tensor:
        """(n, channels, time) -> the same shape."""
        for first, second in zip(self.convs1, self.convs2, strict=True):
            assert isinstance(first, Same)
            assert isinstance(second, Same)
            made = first.stream(x, past, rate, SLOPE)
            x = second.stream(made, past, rate, SLOPE).add_(x)
        return x


class Source(nn.Module):
    """A sine at the pitch and a little noise; noise alone where nothing is voiced."""

    def __init__(self) -> None:
        super().__init__()
        self.l_linear = nn.Linear(1, 1)

    def forward(
        self, f0_hz: Tensor, noise: Tensor, phase: Tensor, hop: int, sample_rate: int
    ) -> tuple[Tensor, Tensor]:
        """The excitation of some frames.

        Args:
            f0_hz: (n, frames), 0 where nothing is voiced.
            noise: (n, frames * hop), standard normal (or zero).
            phase: (n,) in cycles, at the end of the sample before the first.
            hop: samples per frame.
            sample_rate: Hz.

        Returns:
            (n, 1, frames * hop), and the phase (n, frames + 1) in cycles before each frame and after the last.
        """
        cycles, ends = self._turned(f0_hz, phase, hop, sample_rate)
        steps = torch.arange(1, hop + 1, device=f0_hz.device, dtype=torch.float64)
        turn = (ends[:, :-1, None] + cycles[..., None] * steps) % 1.0
        sine = torch.sin(2.0 * math.pi * turn.to(f0_hz.dtype)) * SINE_LEVEL
        voiced = (f0_hz > 0).to(sine.dtype)[..., None]
        level = voiced * NOISE_LEVEL + (1 - voiced) * UNVOICED_LEVEL
        excitation = sine * voiced + level * noise.view_as(sine)
        made = torch.tanh(self.l_linear(excitation.flatten(1)[..., None].to(self.l_linear.weight.dtype)))
        return made.transpose(1, 2), ends.to(phase.dtype)

    def placed(
        self, f0_hz: Tensor, seeds: Tensor, starts: Tensor, phase: Tensor, hop: int, sample_rate: int
    ) -> tuple[Tensor, Tensor]:
        """The same, with the noise of a place (`kernels.noise`).

        Args:
            f0_hz: (n, frames), 0 where nothing is voiced.
            seeds: (n,) int64, of the noise.
            starts: (n,) int64, the place of its first sample.
            phase: (n,) in cycles, at the end of the sample before the first.
            hop: samples per frame.
            sample_rate: Hz.

        Returns:
            See `forward`.
        """
        if fusion.available(f0_hz):
            from kernels.triton_source import launch

            _, ends = self._turned(f0_hz, phase, hop, sample_rate)
            levels = (SINE_LEVEL, NOISE_LEVEL, UNVOICED_LEVEL)
            made = launch(f0_hz, ends, seeds, starts, self.l_linear, hop, sample_rate, levels)
            return made, ends.to(phase.dtype)
        return self(f0_hz, normal(seeds, starts, f0_hz.shape[1] * hop), phase, hop, sample_rate)  # type: ignore[no-any-return]

    @staticmethod
    def _turned(f0_hz: Tensor, phase: Tensor, hop: int, sample_rate: int) -> tuple[Tensor, Tensor]:
        """Cycles per sample in each frame, and the phase before each frame and after the last."""
        cycles = f0_hz.double() / sample_rate
        return cycles, torch.cumsum(torch.cat((phase[:, None].double(), cycles * hop), 1), 1) % 1.0


class Generator(nn.Module):
    """Latent frames (n, inter, frames) to sound (n, 1, frames * hop)."""

    def __init__(self, size: DecoderSize) -> None:
        super().__init__()
        self.size = size
        self.hop = math.prod(size.rates)
        self.conv_pre = Same(size.inter, size.width, 7)
        self.cond = nn.Conv1d(size.speaker, size.width, 1)
        self.ups, self.noise_convs, self.resblocks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        channels, step = size.width, self.hop
        for rate, kernel in zip(size.rates, size.up_kernels, strict=True):
            self.ups.append(Up(channels, channels // 2, kernel, rate))
            channels, step = channels // 2, step // rate
            if size.pitched:
                self.noise_convs.append(Down(channels, step))
            for res_kernel, dilations in zip(size.res_kernels, size.res_dilations, strict=True):
                self.resblocks.append(ResBlock(channels, res_kernel, dilations))
        self.conv_post = Same(channels, 1, 7, bias=False)
        if size.pitched:
            self.m_source = Source()

    def forward(
        self, latent: Tensor, speaker: Tensor, source: Tensor | None, past: Past | None = None
    ) -> Tensor:
        """Decode some frames.

        Args:
            latent: (n, inter, frames).
            speaker: (n, speaker, 1).
            source: (n, 1, frames * hop) of `m_source`; None for a model without pitch.
            past: what came before them; nothing, if not given.
        """
        past = past or Beginning()
        rate, blocks = 1, len(self.size.res_kernels)
        x = self.conv_pre.stream(latent, past, rate) + self.cond(speaker)
        for stage, up in enumerate(self.ups):
            assert isinstance(up, Up)
            x = up.stream(x, past, rate)
            rate *= up.rate
            if source is not None:
                down = self.noise_convs[stage]
                assert isinstance(down, Down)
                x = down.stream(source, past, self.hop).add_(x)
            around = self.resblocks[stage * blocks : (stage + 1) * blocks]
            first, *others = [block(x, past, rate) for block in around]
            x = sum(others, start=first).div_(blocks)
        return torch.tanh(self.conv_post.stream(x, past, rate, LAST_SLOPE))

    @property
    def reach(self) -> int:
        """Frames to either side of a sample beyond which it hears nothing."""
        size = self.size
        most = max(
            sum((d + 1) * (kernel - 1) // 2 for d in dilations)
            for kernel, dilations in zip(size.res_kernels, size.res_dilations, strict=True)
        )
        side = self.conv_post.side
        for rate, kernel in zip(reversed(size.rates), reversed(size.up_kernels), strict=True):
            side = math.ceil((side + most + kernel) / rate)
        return side + self.conv_pre.side
