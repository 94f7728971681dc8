"""The fourth stage: the vocals in another voice, through the very converters that live sessions use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.resampler import StreamResampler
from pipeline.converters.base import ControlRows, Controls, Converter
from pipeline.song.image import ImageTransfer
from pipeline.song.report import Report
from pipeline.song.track import Track, TrackWriter
from pipeline.voice import Voice

Float = NDArray[np.float32]

BLOCK_S = 1.0
OCTAVE_MARGIN = 0.65  # voices sing higher than they speak, so half an octave is no reason to move


def whole_octaves(f0_hz: Float, target_median_hz: float) -> int:
    """How many octaves bring a melody into the target's range, none when it is near: a song moves as one."""
    sung = f0_hz[f0_hz > 0]
    distance = float(np.log2(target_median_hz / np.median(sung))) if len(sung) else 0.0
    return round(distance) if abs(distance) > OCTAVE_MARGIN else 0


def convert_vocals(
    vocals: Track, target: Path, converter: Converter, voice: Voice, controls: Controls, report: Report
) -> Track:
    """Convert a stereo track of vocals; the result is aligned with it to the sample and has its stereo image.

    Args:
        vocals: stereo, any rate.
        target: where the converted track goes.
        converter: one row of it is used.
        voice: the target voice.
        controls: as a singer would set them.
        report: told every second of sound.
    """
    block = round(BLOCK_S * vocals.sample_rate)
    image = ImageTransfer(vocals.sample_rate)
    with TrackWriter(target, vocals.sample_rate, 2) as writer:
        pending = np.zeros(0, np.float32)
        skip, read = image.delay, 0
        for sound in _converted(vocals, converter, voice, controls, block):
            pending = np.concatenate((pending, sound))
            take = len(pending)
            wide = image.push(vocals.read(read, take), pending)
            read += take
            pending = pending[:0]
            wide = wide[:, min(skip, wide.shape[1]) :]
            skip -= take - wide.shape[1]
            writer.append(wide[:, : vocals.frames - writer.frames])
            report(min(1.0, writer.frames / vocals.frames))
        while writer.frames < vocals.frames:
            size = min(block, vocals.frames - writer.frames + skip)
            wide = image.push(vocals.read(read, size), np.zeros(size, np.float32))
            read += size
            wide = wide[:, min(skip, size) :]
            skip -= size - wide.shape[1]
            writer.append(wide[:, : vocals.frames - writer.frames])
    return Track(target)


def _converted(
    vocals: Track, converter: Converter, voice: Voice, controls: Controls, block: int
) -> Iterator[Float]:
    """The converted mono vocals at the track's rate, without delay."""
    up = StreamResampler(vocals.sample_rate, converter.sample_rate)
    down = StreamResampler(converter.sample_rate, vocals.sample_rate)
    state, rows, settings = converter.open(1), converter.voice_rows(1), ControlRows(1)
    rows.set(0, voice)
    settings.set(0, controls)
    active = torch.ones(1, dtype=torch.bool)
    hop = max(converter.hop, 1)
    pending = np.zeros(0, np.float32)
    late = converter.delay
    for audio in vocals.blocks(block):
        pending = np.concatenate((pending, up.push(audio.mean(0))))
        whole = len(pending) // hop * hop
        if not whole:
            continue
        sung = converter.step(state, torch.from_numpy(pending[None, :whole].copy()), rows, settings, active)
        pending = pending[whole:]
        sound = sung[0, min(late, whole) :].numpy().copy()
        late -= whole - len(sound)
        yield down.push(sound)
    rest = np.concatenate(
        (pending, up.finish(np.zeros(0, np.float32)), np.zeros(converter.delay + hop, np.float32))
    )
    whole = len(rest) // hop * hop
    sung = converter.step(state, torch.from_numpy(rest[None, :whole].copy()), rows, settings, active)
    yield down.finish(sung[0, late:].numpy().copy())
