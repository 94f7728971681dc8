"""Moving formants of what a network sang, at the pitch that it sang: the spectral envelope is stretched.

The envelope of each frame is its cepstrum's beginning (Oppenheim and Schafer, "Discrete-time signal
processing", on homomorphic filtering); frames lie on a grid of the stream, so that it does not matter how that
is cut.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

OVERLAP = 4
QUEFRENCY_S = 0.0012  # up to which the cepstrum is envelope: well below the period of a soprano
MOST = 2.8  # nepers by which a frequency is raised or lowered at most
FLOOR = 1e-8


class FormantShift(nn.Module):
    """Stretches the envelopes of streams at one sample rate."""

    window: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.size = sample_rate // 50
        self.hop = self.size // OVERLAP
        self.side = self.size - self.hop  # samples to either side that are needed
        self.lifter = round(QUEFRENCY_S * sample_rate)
        window = torch.hann_window(self.size, dtype=torch.float64).sqrt()
        self.register_buffer("window", window.float())

    def forward(self, x: Tensor, factor: Tensor) -> Tensor:
        """Move the formants.

        Args:
            x: (n, side + samples + side); samples is a multiple of `hop`.
            factor: (n,) by which frequencies of the envelope are multiplied.

        Returns:
            (n, samples).
        """
        frames = x.unfold(1, self.size, self.hop) * self.window  # (n, frames, size)
        spectrum = torch.fft.rfft(frames)
        level = torch.log(spectrum.abs() + FLOOR)
        cepstrum = torch.fft.irfft(level, n=self.size)
        keep = torch.arange(self.size, device=x.device)
        keep = torch.minimum(keep, self.size - keep) <= self.lifter
        envelope = torch.fft.rfft(cepstrum * keep).real  # (n, frames, bins)
        bins = envelope.shape[2]
        at = (torch.arange(bins, device=x.device) / factor[:, None]).clamp(max=bins - 1)
        below = at.floor().long().clamp(max=bins - 2)
        part = (at - below)[:, None]
        index = below[:, None].expand(envelope.shape)
        moved = envelope.gather(2, index) * (1 - part) + envelope.gather(2, index + 1) * part
        gain = torch.exp((moved - envelope).clamp(-MOST, MOST))
        made = torch.fft.irfft(spectrum * gain, n=self.size) * self.window * (2.0 / OVERLAP)
        return self._added(made)

    def _added(self, frames: Tensor) -> Tensor:
        """Overlap-add of (n, frames, size), without the frames' length less a hop at either end."""
        count, length, _ = frames.shape
        quarters = frames.view(count, length, OVERLAP, self.hop)
        whole = length - OVERLAP + 1
        total = sum(quarters[:, OVERLAP - 1 - q : OVERLAP - 1 - q + whole, q] for q in range(OVERLAP))
        assert isinstance(total, Tensor)
        return total.reshape(count, whole * self.hop)
