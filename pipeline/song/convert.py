"""The fourth stage: the vocals in another voice, through the very converters that live sessions use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.resampler import StreamResampler
from pipeline.converters.base import F0_HOP, ControlRows, Controls, Converter
from pipeline.song.image import ImageTransfer
from pipeline.song.pitch import Melody
from pipeline.song.report import Report
from pipeline.song.track import Track, TrackWriter
from pipeline.voice import Target

Float = NDArray[np.float32]

BLOCK_S = 1.0
OCTAVE_MARGIN = 0.65  # voices sing higher than they speak, so half an octave is no reason to move


def whole_octaves(f0_hz: Float, target_median_hz: float | None) -> int:
    """How many octaves bring a melody into the target's range, none when it is near: a song moves as one.

    Args:
        f0_hz: (n,) of the melody, 0 unvoiced.
        target_median_hz: of the voice, None where that is not known: then nothing is moved.
    """
    if target_median_hz is None:
        return 0
    sung = f0_hz[f0_hz > 0]
    distance = float(np.log2(target_median_hz / np.median(sung))) if len(sung) else 0.0
    return round(distance) if abs(distance) > OCTAVE_MARGIN else 0


def convert_vocals(
    vocals: Track,
    target: Path,
    converter: Converter,
    voice: Target,
    controls: Controls,
    report: Report,
    melody: Melody | None = None,
) -> Track:
    """Convert a stereo track of vocals; the result is aligned with it to the sample and has its stereo image.

    Args:
        vocals: stereo, any rate.
        target: where the converted track goes.
        converter: one row of it is used.
        voice: the target voice.
        controls: as a singer would set them.
        report: told every second of sound.
        melody: the pitch of the vocals; the converter tracks it itself without.
    """
    block = round(BLOCK_S * vocals.sample_rate)
    image = ImageTransfer(vocals.sample_rate)
    with TrackWriter(target, vocals.sample_rate, 2) as writer:
        skip, read = image.delay, 0

        def write(sound: Float) -> None:
            nonlocal skip, read
            wide = image.push(vocals.read(read, len(sound)), sound)
            read += len(sound)
            early = min(skip, len(sound))
            skip -= early
            writer.append(wide[:, early : early + vocals.frames - writer.frames])
            report(min(1.0, writer.frames / max(vocals.frames, 1)))

        for sound in _converted(vocals, Stream(converter, voice, controls, melody), block):
            write(sound)
        while writer.frames < vocals.frames:
            write(np.zeros(min(block, vocals.frames - writer.frames + skip), np.float32))
    return Track(target)


class Stream:
    """One row of a converter, fed with any number of samples; its delay is taken away."""

    def __init__(self, converter: Converter, voice: Target, controls: Controls, melody: Melody | None) -> None:
        self.sample_rate = converter.sample_rate
        self._converter = converter
        self._melody = melody
        self._state, self._voices, self._controls = converter.open(1), converter.voice_rows(1), ControlRows(1)
        self._voices.set(0, voice)
        self._controls.set(0, controls)
        self._active = torch.ones(1, dtype=torch.bool)
        self._unit = max(converter.hop, F0_HOP)
        self._pending = np.zeros(0, np.float32)
        self._hops = 0  # of F0_HOP samples given so far
        self._late = converter.delay

    def push(self, samples: Float) -> Float:
        """Give (samples,); get what is ready."""
        sound = np.concatenate((self._pending, samples))
        whole = len(sound) // self._unit * self._unit
        self._pending = sound[whole:]
        if not whole:
            return self._pending[:0]
        f0_hz = None
        if self._melody is not None:
            hops = np.arange(self._hops, self._hops + whole // F0_HOP)
            f0_hz = torch.from_numpy(self._melody.at((hops - 1) * (F0_HOP / self.sample_rate)))[None]
        self._hops += whole // F0_HOP
        audio = torch.from_numpy(sound[None, :whole].copy())
        result = self._converter.step(self._state, audio, self._voices, self._controls, self._active, f0_hz)
        early = min(self._late, whole)
        self._late -= early
        return np.array(result[0, early:].numpy())

    def finish(self) -> Float:
        """Get all that is left, and a little silence."""
        return self.push(np.zeros(self._converter.delay + self._unit, np.float32))


def _converted(vocals: Track, stream: Stream, block: int) -> Iterator[Float]:
    """The converted mono vocals at the track's rate."""
    up = StreamResampler(vocals.sample_rate, stream.sample_rate)
    down = StreamResampler(stream.sample_rate, vocals.sample_rate)
    for audio in vocals.blocks(block):
        yield down.push(stream.push(up.push(audio.mean(0))))
    rest = stream.push(up.finish(np.zeros(0, np.float32)))
    yield down.finish(np.concatenate((rest, stream.finish())))
