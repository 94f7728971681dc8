"""`spleeter`: separation by two U-Nets that estimate magnitudes, streamed in overlapping segments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import WeightsCorrupt
from pipeline.separation.base import Mixture, Stems, check, statistics
from pipeline.separation.tf_bundle import read_bundle
from pipeline.separation.unet import UNet

FRAME, HOP = 4096, 1024  # samples
EARLY = FRAME - HOP  # frame n begins so many samples before n * HOP
BINS = 1024  # of 2049 that the nets see: up to 11 kHz
SEGMENT = 512  # frames that a net sees at a time (11.9 s)
LEVEL = 0.2  # root mean square that songs are brought to: the nets have learnt on mastered ones


class Spleeter:
    """Spleeter's 2-stem model at 44.1 kHz, in overlapping segments and at a constant level.

    Above 11 kHz, where the nets see nothing, the mask goes on as the average of the 1.4 kHz below.

    Args:
        index, data: the registered files "spleeter-index" and "spleeter-data".
        overlap: of neighbouring segments, whose masks pass into each other.
        device: where the nets run.

    Raises:
        WeightsCorrupt: other files.
    """

    name = "spleeter"
    sample_rate = 44_100

    def __init__(
        self, index: Path, data: Path, *, overlap: float = 0.25, device: torch.device | None = None
    ) -> None:
        self._device = device or torch.device("cpu")
        self._step = SEGMENT - int(overlap * SEGMENT)
        self._nets = [UNet().eval().to(self._device) for _ in range(2)]
        tensors = read_bundle(index, data)
        try:
            for stem, net in enumerate(self._nets):
                net.load(tensors, stem)
        except (KeyError, ValueError) as problem:
            raise WeightsCorrupt(f"{data.name} does not hold Spleeter's two stems: {problem}") from problem
        self._window = torch.hann_window(FRAME, device=self._device)
        rise = torch.arange(1, SEGMENT // 2 + 1, device=self._device)
        self._weight = torch.cat((rise, rise.flip(0)))[:, None] / (SEGMENT // 2)

    def separate(self, mixture: Mixture) -> Iterator[Stems]:
        """See `Separator`."""
        check(mixture, self.sample_rate)
        gain = LEVEL / max(statistics(mixture)[2], 1e-5)
        masks = torch.zeros(
            2, SEGMENT, FRAME // 2 + 1, device=self._device
        )  # weighted, from the step at hand on
        weights = torch.zeros(SEGMENT, 1, device=self._device)
        tail = torch.zeros(2, EARLY, device=self._device)  # of the overlap-add
        first = self._step - SEGMENT  # so that the beginning is seen as often as the rest
        with torch.inference_mode():
            while True:
                spectrum = self._spectrum(mixture, first)
                masks += self._weight * self._mask(spectrum * gain)
                weights += self._weight
                vocals = spectrum[:, : self._step] * (masks[:, : self._step] / weights[: self._step])
                sound, tail = self._overlap_add(vocals, tail)
                masks = _shifted(masks, self._step)
                weights = _shifted(weights[None], self._step)[0]
                begin = first * HOP - EARLY
                first += self._step
                skip = max(0, -begin)
                count = min(sound.shape[1], mixture.frames - begin) - skip
                if count > 0:
                    part = np.ascontiguousarray(sound[:, skip : skip + count].cpu().numpy())
                    yield Stems(part, mixture.read(begin + skip, count) - part)
                if begin + sound.shape[1] >= mixture.frames:
                    return

    def _spectrum(self, mixture: Mixture, first: int) -> Tensor:
        """(2, SEGMENT, 2049) complex: frames from `first` on."""
        audio = torch.from_numpy(mixture.read(first * HOP - EARLY, (SEGMENT - 1) * HOP + FRAME)).to(
            self._device
        )
        return torch.stft(audio, FRAME, HOP, window=self._window, center=False, return_complex=True).transpose(
            1, 2
        )

    def _mask(self, spectrum: Tensor) -> Tensor:
        """(2, SEGMENT, 2049): the vocals' share of the mixture's magnitudes."""
        magnitudes = spectrum[..., :BINS].abs()[None]
        vocals, others = (net(magnitudes)[0] for net in self._nets)
        known = (vocals + 1e-8) / (vocals + others + 2e-8)
        above = known[..., BINS - 128 :].mean(-1, keepdim=True).expand(-1, -1, spectrum.shape[-1] - BINS)
        return torch.cat((known, above), -1)

    def _overlap_add(self, spectrum: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """Samples that are complete, and what overlaps with the next frames."""
        frames = torch.fft.irfft(spectrum, FRAME) * self._window / 1.5  # what four squared windows add up to
        channels, count, _ = frames.shape
        out = torch.zeros(channels, count * HOP + EARLY, device=self._device)
        for quarter in range(FRAME // HOP):
            part = frames[..., quarter * HOP : (quarter + 1) * HOP].reshape(channels, -1)
            out[:, quarter * HOP : quarter * HOP + count * HOP] += part
        out[:, :EARLY] += tail
        return out[:, : count * HOP], out[:, count * HOP :]


def _shifted(x: Tensor, step: int) -> Tensor:
    """(n, frames, bins) moved `step` frames to the front, zeros behind."""
    return torch.cat((x[:, step:], torch.zeros_like(x[:, :step])), 1)
