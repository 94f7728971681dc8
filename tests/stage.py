"""What tests of converters share: something to sing, and a converter with some rows, stepped by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pipeline.converters import available
from pipeline.converters.base import ControlRows, Controls
from pipeline.converters.blend import Blend
from pipeline.synthetic import glide, rest, sing, vibrato
from pipeline.voice import Voice
from tests import rvc

RATE = 48_000
RVC = rvc.voice(median_f0_hz=200.0)


def phrase(seed: int = 1, hz: float = 190.0) -> np.ndarray:
    """Notes, a glide, a consonant-like burst of noise, and rests: about two seconds."""
    rng = np.random.default_rng(seed)
    line = np.concatenate(
        [
            rest(0.1, RATE),
            vibrato(hz, 0.6, RATE),
            rest(0.15, RATE),
            glide(hz, 1.6 * hz, 0.7, RATE),
            rest(0.2, RATE),
        ]
    )
    voice = sing(line, RATE, rng, snr_db=45)
    voice[int(0.72 * RATE) : int(0.8 * RATE)] += 0.05 * rng.standard_normal(int(0.8 * RATE) - int(0.72 * RATE))
    return voice[: len(voice) // 480 * 480].astype(np.float32)


class Stage:
    """A converter with some rows, stepped by hand; `rvc` sings a voice of its own kind whatever it is given."""

    def __init__(self, name: str, rows: int = 1) -> None:
        self.converter: Any = rvc.converter() if name == "rvc" else available()[name](480)
        self.state: Any = self.converter.open(rows)
        self.voices = self.converter.voice_rows(rows)
        self.controls = ControlRows(rows)
        self.rows = rows

    def set(self, row: int, controls: Controls, voice: Voice | None = None, blend: Blend | None = None) -> None:
        """Give a row its controls and, unless None, its voice and a blend."""
        self.controls.set(row, controls)
        if self.converter.name == "rvc":
            if blend is not None:
                pytest.skip("voices of rvc do not blend")
            if voice is not None:
                self.voices.set(row, RVC)
            return
        if voice is not None:
            self.voices.set(row, voice)
        if blend is not None:
            self.voices.blend(row, blend.voice, blend.share)

    def step(self, blocks: dict[int, np.ndarray]) -> np.ndarray:
        """Convert a block (samples,) of some rows: (rows, samples)."""
        size = len(next(iter(blocks.values())))
        audio, active = torch.zeros(self.rows, size), torch.zeros(self.rows, dtype=torch.bool)
        for row, block in blocks.items():
            audio[row] = torch.from_numpy(block)
            active[row] = True
        return self.converter.step(self.state, audio, self.voices, self.controls, active).numpy().copy()

    def run(self, audio: np.ndarray, row: int = 0, size: int = 0) -> np.ndarray:
        """Convert (samples,) in one row, block by block; what does not fill the last one is left out."""
        size = size or self.converter.block
        audio = audio[: len(audio) // size * size]
        return np.concatenate([self.step({row: audio[i : i + size]})[row] for i in range(0, len(audio), size)])
