"""The last stage: the new vocals as loud as the old ones, over the accompaniment, under a true-peak limit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kernels import limiter
from pipeline import io
from pipeline.song.loudness import LoudnessMeter
from pipeline.song.report import Report
from pipeline.song.stretch import stretched
from pipeline.song.track import Track

Float = NDArray[np.float32]

BLOCK = 1 << 16  # samples
CEILING = 10 ** (-1 / 20)  # -1 dB true peak
MOST_GAIN_DB = 12.0


@dataclass(frozen=True)
class MixSettings:
    """How the song is put together again."""

    vocal_volume: float = 1.0  # 0 to 2
    accompaniment_volume: float = 1.0  # 0 to 2
    accompaniment_semitones: float = 0.0  # -12 to 12


def loudness(track: Track) -> float:
    """Integrated loudness in LUFS; minus infinity for silence."""
    meter = LoudnessMeter(track.sample_rate, track.channels)
    for block in track.blocks(BLOCK):
        meter.push(block)
    return meter.lufs()


def matching_gain(track: Track, like: Track) -> float:
    """The factor that makes one track as loud as another, within 12 dB; 1 where either is silent."""
    own, wanted = loudness(track), loudness(like)
    if not (math.isfinite(own) and math.isfinite(wanted)):
        return 1.0
    return float(10 ** (min(max(wanted - own, -MOST_GAIN_DB), MOST_GAIN_DB) / 20))


def write_stem(track: Track, target: Path, gain: float, report: Report) -> None:
    """Encode one track, limited."""
    _encode(
        target, track.sample_rate, (block * np.float32(gain) for block in track.blocks(BLOCK)), track, report
    )


def write_mix(
    vocals: Track, accompaniment: Track, target: Path, vocal_gain: float, settings: MixSettings, report: Report
) -> None:
    """Mix two aligned stereo tracks into a file whose suffix names its format; never clips.

    Args:
        vocals, accompaniment: of one length and rate.
        target: .wav, .flac, .mp3 or .ogg.
        vocal_gain: what makes the vocals as loud as the original ones.
        settings: the listener's wishes.
        report: told now and then.
    """
    voice_gain = np.float32(vocal_gain * settings.vocal_volume)
    rest_gain = np.float32(settings.accompaniment_volume)

    def mixed() -> Iterator[Float]:
        backing = stretched(accompaniment, settings.accompaniment_semitones, 1.0, BLOCK)
        for start, rest in zip(range(0, accompaniment.frames, BLOCK), backing, strict=True):
            yield vocals.read(start, rest.shape[1]) * voice_gain + rest * rest_gain

    _encode(target, accompaniment.sample_rate, mixed(), accompaniment, report)


def _encode(target: Path, sample_rate: int, blocks: Iterator[Float], length: Track, report: Report) -> None:
    state = limiter.open_limiter(length.channels)

    def limited() -> Iterator[Float]:
        late, done = limiter.DELAY, 0
        for block in blocks:
            out = limiter.limit(state, block, CEILING)
            done += block.shape[1]
            report(min(1.0, done / max(length.frames, 1)))
            yield out[:, min(late, out.shape[1]) :]
            late -= min(late, out.shape[1])
        yield limiter.limit(state, np.zeros((length.channels, limiter.DELAY), np.float32), CEILING)

    io.encode_blocks(target, limited(), sample_rate, length.channels)
