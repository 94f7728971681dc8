"""`htdemucs`, `htdemucs_ft`: Hybrid Transformer Demucs (Rouard et al., ICASSP 2023), streamed over a song.

The song is cut into segments of the model's training length that overlap by a quarter; their estimates are
added under triangular windows. With `shifts`, the whole is done several times at random offsets and averaged.
Results are those of the `demucs` package, but only a segment per shift is ever in memory.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.separation.base import Mixture, Stems, check, statistics

MAX_SHIFT_S = 0.5


@dataclass
class _Pass:
    """One run over the song at one offset; positions are samples of the mixture."""

    begin: int  # of the next segment
    end: int  # of the run
    done: int = 0  # estimates before this are final
    total: Tensor = field(
        default_factory=lambda: torch.zeros(0)
    )  # (2, segment) weighted estimates from `begin` on
    weight: Tensor = field(default_factory=lambda: torch.zeros(0))  # (segment,)


class HTDemucs:
    """Separates with a Demucs model that estimates vocals among its sources.

    Args:
        name: what to call it.
        model: maps (batch, 2, segment) to (batch, sources, 2, segment); has `sources`, `segment`, `samplerate`.
        shifts: runs at random offsets that are averaged; 0 makes one run at no offset.
        overlap: of neighbouring segments.
        device: where the model runs and stays.
        rng: of the offsets.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        *,
        shifts: int = 1,
        overlap: float = 0.25,
        device: torch.device | None = None,
        rng: random.Random | None = None,
    ) -> None:
        settings: Any = model
        self.name = name
        self.sample_rate = int(settings.samplerate)
        self._device = device or torch.device("cpu")
        self._model = model.eval().to(self._device)
        self._vocals = list(settings.sources).index("vocals")
        self._segment = int(settings.samplerate * settings.segment)
        self._stride = int((1 - overlap) * self._segment)
        self._shifts = shifts
        self._rng = rng or random.Random()
        rise = torch.arange(1, self._segment // 2 + 1)
        fall = torch.arange(self._segment - self._segment // 2, 0, -1)
        self._window = torch.cat((rise, fall)) / max(int(rise.max()), int(fall.max()))

    def separate(self, mixture: Mixture) -> Iterator[Stems]:
        """See `Separator`."""
        check(mixture, self.sample_rate)
        mean, deviation, _ = statistics(mixture)
        deviation += 1e-8
        furthest = int(MAX_SHIFT_S * self.sample_rate)
        starts = [self._rng.randint(0, furthest) - furthest for _ in range(self._shifts)] or [0]
        runs = [_Pass(begin, mixture.frames, begin) for begin in starts]
        finished: list[list[Tensor]] = [[] for _ in runs]
        given = 0
        while given < mixture.frames:
            index = min(range(len(runs)), key=lambda i: runs[i].done)
            run = runs[index]
            known = run.done
            final = self._advance(run, mixture, mean, deviation)
            finished[index].append(final[:, max(0, -known) :] if known < 0 else final)
            ready = min(mixture.frames, *(r.done for r in runs))
            if ready > given:
                total = torch.zeros(2, ready - given)
                for parts in finished:
                    whole = torch.cat(parts, 1)
                    total += whole[:, : ready - given]
                    parts[:] = [whole[:, ready - given :]]
                vocals = (total / len(runs) * deviation + mean).numpy()
                yield Stems(vocals, mixture.read(given, ready - given) - vocals)
                given = ready

    def _advance(self, run: _Pass, mixture: Mixture, mean: float, deviation: float) -> Tensor:
        """Estimate one more segment of a run; returns the samples that are final with it."""
        length = min(self._segment, run.end - run.begin)
        context = (self._segment - length) // 2  # a short last segment is given what lies around it
        audio = mixture.read(run.begin - context, self._segment)
        audio = (audio - np.float32(mean)) / np.float32(deviation)
        inside = np.arange(run.begin - context, run.begin - context + self._segment)
        audio[:, (inside < 0) | (inside >= mixture.frames)] = 0.0
        with torch.inference_mode():
            estimate = self._model(torch.from_numpy(audio)[None].to(self._device))[0, self._vocals].cpu()
        if not run.total.numel():
            run.total, run.weight = torch.zeros(2, self._segment), torch.zeros(self._segment)
        run.total[:, :length] += self._window[:length] * estimate[:, context : context + length]
        run.weight[:length] += self._window[:length]
        count = min(self._stride, length)
        if run.begin + self._stride >= run.end:
            count = length
        final = run.total[:, :count] / run.weight[:count]
        run.total = torch.cat((run.total[:, count:], torch.zeros(2, count)), 1)
        run.weight = torch.cat((run.weight[count:], torch.zeros(count)))
        run.begin += count
        run.done = run.begin
        return final
