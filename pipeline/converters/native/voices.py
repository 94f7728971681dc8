"""The targets of all rows, as `native` reads them: one voice each, or two blended."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.content import Size
from pipeline.converters.blend import bands_known_of, between, check_share
from pipeline.converters.native.bank import VERSIONS, Banks
from pipeline.converters.native.network import Reader
from pipeline.timbre import BANDS
from pipeline.voice import Target, Voice, measured


class NativeVoices:
    """The target of each row, ready to be read; until set, a row keeps the singer's own voice.

    A blend is made where voices are numbers on one scale: between what attention reads of the two, their
    summaries, the calibration of their envelopes, and their pitches in octaves. The public arrays hold what
    is in force.
    """

    def __init__(self, rows: int, size: Size, reader: Reader) -> None:
        self.banks = (Banks(rows, size, reader), Banks(rows, size, reader))
        self._second: list[Voice | None] = [None] * rows  # what the rows of the second bank hold
        self.parts = np.zeros((2, rows), np.float32)  # of the first and the second voice in what is sung
        self.version = np.zeros(rows, np.int64)  # changes with what is in force
        self.known = np.zeros(rows, np.bool_)
        self.log_f0 = np.zeros(rows)  # log2 of the median pitch in Hz
        self.top = np.zeros(rows, np.int64)  # first band about which nothing is known
        self.summary = torch.zeros(rows, size.voice)
        self.scale = torch.ones(rows, 2, BANDS)
        self.offset = torch.zeros(rows, 2, BANDS)

    def set(self, row: int, voice: Target) -> None:
        """Give a row its target; filters move there over the next frame."""
        self.banks[0].set(row, measured(voice))
        self._mix(row, 0.0)
        self.known[row] = True

    def clear(self, row: int) -> None:
        """Let a row keep the singer's own voice again."""
        self._second[row] = None
        self.known[row] = False
        self.version[row] = next(VERSIONS)
        self.parts[:, row] = 0.0
        self.log_f0[row], self.top[row] = 0.0, 0
        self.summary[row], self.scale[row], self.offset[row] = 0.0, 1.0, 0.0

    def blend(self, row: int, voice: Voice | None, share: float) -> None:
        """Sing a share of a second voice; see `VoiceRows.blend`. Filters move there over the next frame."""
        share = check_share(share)
        if voice is None:
            self._mix(row, 0.0)
            return
        if not self.known[row]:
            raise ValueError(f"row {row} has no voice to blend {voice.name!r} with")
        if voice is not self._second[row]:
            self._second[row] = None  # until all of it is written
            self.banks[1].set(row, voice)
            self._second[row] = voice
        self._mix(row, share)

    def read(self, rows: NDArray[np.int64], queries: Tensor) -> tuple[Tensor, Tensor]:
        """Attend to the targets of n `rows` with (n, heads, content): (n, width) values, (n, BANDS) shapes."""
        values = np.zeros((len(rows), self.banks[0].width), np.float32)
        shapes = np.zeros((len(rows), BANDS), np.float32)
        for banks, parts in zip(self.banks, self.parts, strict=True):
            banks.add(rows, parts, queries, values, shapes)
        return torch.from_numpy(values), torch.from_numpy(shapes)

    def _mix(self, row: int, share: float) -> None:
        one, two = self.banks
        self.version[row] = next(VERSIONS)
        self.parts[0, row], self.parts[1, row] = 1.0 - share, share
        self.log_f0[row] = between(float(one.log_f0[row]), float(two.log_f0[row]), share)
        self.top[row] = bands_known_of(int(one.top[row]), int(two.top[row]), share)
        self.summary[row] = between(one.summary[row], two.summary[row], share)
        self.scale[row] = between(one.scale[row], two.scale[row], share)
        self.offset[row] = between(one.offset[row], two.offset[row], share)
