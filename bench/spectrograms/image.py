"""Spectrograms as pictures: time to the right, an octave everywhere as high, loudness as colour."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

LOW_HZ, HIGH_HZ = 55.0, 12_000.0  # bottom and top
HEIGHT = 240  # pixels
COLUMNS_PER_S = 100
WINDOW_S = 0.06  # resolves the harmonics of a low voice
RANGE_DB = 60.0  # from the brightest to the darkest colour
BRIGHTEST = 0.999  # of all points are no louder than the brightest colour
SILENT_DB = -40.0  # of a row; nothing this quiet is brought up to full brightness
LEVELS = 64
COLOURS = ((10, 9, 22), (52, 22, 84), (128, 37, 106), (205, 66, 78), (247, 142, 66), (253, 238, 190))


def place_of(hz: float) -> float:
    """Where a frequency is shown: 0 at the bottom, 1 at the top."""
    return float(np.log(hz / LOW_HZ) / np.log(HIGH_HZ / LOW_HZ))


def spectrogram(audio: Float, sample_rate: int) -> NDArray[np.uint8]:
    """Levels of a recording against its own loudest points.

    Args:
        audio: (samples,) float32.
        sample_rate: Hz, at least twice HIGH_HZ.

    Returns:
        (HEIGHT, columns) from 0, silent, to LEVELS - 1; the highest frequency is the first row, and there are
        COLUMNS_PER_S columns for each second.
    """
    window = np.hanning(round(WINDOW_S * sample_rate)).astype(np.float32)
    columns = max(1, round(len(audio) / sample_rate * COLUMNS_PER_S))
    padded = np.pad(audio, (len(window) // 2, len(window)))
    starts = np.arange(columns) * sample_rate // COLUMNS_PER_S
    bins = 1 << (2 * len(window) - 1).bit_length()
    to_rows = _rows(np.fft.rfftfreq(bins, 1 / sample_rate)).T
    power = np.empty((columns, HEIGHT))
    for first in range(0, columns, 100):  # a second at a time
        frames = padded[starts[first : first + 100, None] + np.arange(len(window))] * window
        power[first : first + 100] = np.abs(np.fft.rfft(frames, bins)) ** 2 @ to_rows
    db = 10 * np.log10(power + 1e-12)
    shown = np.clip(1 + (db - max(float(np.quantile(db, BRIGHTEST)), SILENT_DB)) / RANGE_DB, 0, 1)
    return np.asarray(np.round(shown * (LEVELS - 1)).T[::-1], np.uint8)


def _rows(bin_hz: NDArray[np.floating]) -> NDArray[np.floating]:
    """(HEIGHT, bins): which bins each row, lowest first, is the mean of."""
    centres = LOW_HZ * (HIGH_HZ / LOW_HZ) ** ((np.arange(HEIGHT) + 0.5) / HEIGHT)
    widths = np.maximum(np.gradient(centres), bin_hz[1])
    weights = np.maximum(0, 1 - np.abs(bin_hz - centres[:, None]) / widths[:, None])
    return np.asarray(weights / weights.sum(1, keepdims=True))


def png(levels: NDArray[np.uint8]) -> bytes:
    """A PNG file (ISO/IEC 15948) of (rows, columns) of levels, in colour."""
    rows, columns = levels.shape
    steps = np.linspace(0, 1, LEVELS)
    places = np.linspace(0, 1, len(COLOURS))
    palette = np.stack([np.interp(steps, places, part) for part in zip(*COLOURS, strict=True)], 1)
    unfiltered = np.pad(levels, ((0, 0), (1, 0)))  # each row begins with the number of its filter, 0 for none
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.round().astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(unfiltered.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
