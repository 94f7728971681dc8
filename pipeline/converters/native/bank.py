"""Enrolled voices: a row of frames for each stream, and the attention that reads them."""

from __future__ import annotations

from itertools import count

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from pipeline.content import Size
from pipeline.converters.blend import known_bands
from pipeline.converters.native.network import NOWHERE, Reader, pitch_features
from pipeline.timbre import BANDS
from pipeline.voice import BANK_FRAMES, Voice

VERSIONS = count(1)  # of all that changes, so that no two contents ever have the same

Float = NDArray[np.float32]


class Banks:
    """One voice for each of `rows` streams, about 1 MB each.

    The system gives the memory of a row when a voice is first written to it, so rows that are never used
    cost nothing, and reading allocates nothing either.
    """

    def __init__(self, rows: int, size: Size, reader: Reader) -> None:
        real = np.float32
        self._reader = reader
        self.width = size.width
        self.keys = np.zeros((rows, size.heads, size.content, BANK_FRAMES), real)
        self.values = np.zeros((rows, size.width, BANK_FRAMES), real)
        self.shapes = np.zeros((rows, BANDS, BANK_FRAMES), real)
        self.bias = np.zeros((rows, BANK_FRAMES), real)
        self.version = np.zeros(rows, np.int64)  # changes with the voice of a row
        self.log_f0 = np.zeros(rows)  # log2 of the median pitch in Hz
        self.top = np.zeros(rows, np.int64)  # first band about which nothing is known
        self.summary = torch.zeros(rows, size.voice)
        self.scale = torch.ones(rows, 2, BANDS)
        self.offset = torch.zeros(rows, 2, BANDS)

    def set(self, row: int, voice: Voice) -> None:
        """Enrol a voice in a row.

        Raises:
            ValueError: it has no frames to read, or not of this network's shapes; the row stays as it is.
        """
        bank = voice.bank
        if bank is None:
            raise ValueError(f"the voice {voice.name!r} has no frames for `native` to read")
        known = {"shapes": bank.shapes.T, "summary": bank.summary, "scale": bank.scale, "offset": bank.offset}
        for name, array in known.items():
            wanted = getattr(self, name)[row].shape
            if array.shape != tuple(wanted):
                raise ValueError(f"{name} of the voice {voice.name!r} is {array.shape}, not {tuple(wanted)}")
        with torch.inference_mode():
            content, shapes = torch.from_numpy(bank.content)[None], torch.from_numpy(bank.shapes)[None]
            weight = torch.from_numpy(bank.weight)[None]
            pitch = pitch_features(torch.from_numpy(bank.f0_hz)[None])
            read = self._reader.bank(content, shapes, pitch, weight.clamp(min=NOWHERE), torch.empty(1, 0))
        self.keys[row] = read.keys[0].transpose(1, 2).numpy()
        self.values[row] = read.values[0].transpose(1, 2).flatten(0, 1).numpy()
        self.bias[row] = read.bias[0].numpy()
        self.shapes[row] = bank.shapes.T
        self.summary[row] = torch.from_numpy(bank.summary)
        self.scale[row] = torch.from_numpy(bank.scale)
        self.offset[row] = torch.from_numpy(bank.offset)
        self.version[row] = next(VERSIONS)
        self.log_f0[row] = np.log2(voice.median_f0_hz)
        self.top[row] = known_bands(voice)

    def add(self, rows: NDArray[np.int64], parts: Float, queries: Tensor, values: Float, shapes: Float) -> None:
        """Attend to the voices of n `rows`, and add what is read, times the part of each row.

        Args:
            rows: (n,) where to read.
            parts: (all rows,) what each row is multiplied by; where it is 0, nothing is read.
            queries: (n, heads, content).
            values: (n, width) the read values are added to it.
            shapes: (n, BANDS) the mean shapes are added to it.
        """
        _attend(rows, parts, queries.numpy(), self.keys, self.values, self.shapes, self.bias, values, shapes)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _attend(
    rows: NDArray[np.int64],
    parts: Float,
    queries: Float,
    keys: Float,
    values: Float,
    shapes: Float,
    bias: Float,
    read: Float,
    shape: Float,
) -> None:
    heads, content, frames = keys.shape[1:]
    depth = values.shape[1] // heads
    share = np.empty(frames, np.float32)
    for i in range(len(rows)):
        r = rows[i]
        part = parts[r]
        if part == 0.0:
            continue
        for h in range(heads):
            for m in range(frames):
                share[m] = bias[r, m]
            for c in range(content):
                q = queries[i, h, c]
                for m in range(frames):
                    share[m] += q * keys[r, h, c, m]
            best = share[0]
            for m in range(1, frames):
                best = max(best, share[m])
            total = np.float32(0.0)
            for m in range(frames):
                share[m] = np.exp(share[m] - best)
                total += share[m]
            for d in range(depth):
                value = np.float32(0.0)
                for m in range(frames):
                    value += share[m] * values[r, h * depth + d, m]
                read[i, h * depth + d] += part * (value / total)
            if h == 0:
                for b in range(shape.shape[1]):
                    value = np.float32(0.0)
                    for m in range(frames):
                        value += share[m] * shapes[r, b, m]
                    shape[i, b] += part * (value / total)
