"""The files of a take, made when they are first asked for; called in processes of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from auto_voice.settings import Settings
from auto_voice.storage.take_files import BLOCK, RATE, SamplesFile

if TYPE_CHECKING:
    from pipeline.song.track import Track

Float = NDArray[np.float32]

SONG = "song.flac"  # the stage's accompaniment as it was when the take was begun
ACCOMPANIMENT = "accompaniment.flac"  # in the key and at the tempo of the take, as long as the take
MADE = "made"


@dataclass(frozen=True)
class Wanted:
    """A file that is to be made.

    Attributes:
        source: of a take: raw samples (.pcm) or FLAC.
        channels: of it.
        frames: of the file.
        target: its suffix names the format.
        song: what the source is put over; None: nothing.
        voice_gain, song_gain: then.
    """

    source: Path
    channels: int
    frames: int
    target: Path
    song: Path | None = None
    voice_gain: float = 1.0
    song_gain: float = 1.0


def fit_accompaniment(settings: Settings, folder: Path, semitones: int, tempo_percent: int, frames: int) -> int:
    """Make the accompaniment of a take: at 48 kHz, from the song's first sample on.

    Args:
        settings: of the cache.
        folder: of the take, with its song.
        semitones, tempo_percent: as it was sung.
        frames: of the voice.

    Returns:
        The frames of the take: of the voice or of the song, whichever ends first.

    Raises:
        PipelineError: the song cannot be read.
    """
    from auto_voice.renditions import render
    from kernels.resampler import StreamResampler
    from pipeline import io
    from pipeline.reader import AudioReader

    source = folder / SONG
    if semitones or tempo_percent != 100:
        source = render(settings, source, semitones, tempo_percent)
    written = 0

    def blocks() -> Iterator[Float]:
        with AudioReader(source) as reader:
            resampler = StreamResampler(reader.sample_rate, RATE, 2)
            for block in reader.blocks(channels=2):
                yield resampler.push(np.ascontiguousarray(block.T)).T
            yield resampler.finish(np.zeros((0, 2), np.float32)).T

    def fitting() -> Iterator[Float]:
        nonlocal written
        for block in blocks():
            part = block[:, : frames - written]
            written += part.shape[1]
            yield part

    io.encode_blocks(folder / ACCOMPANIMENT, fitting(), RATE, 2)
    return written


def make_file(wanted: Wanted) -> None:
    """Make a file of a take, whole or not at all.

    Raises:
        OSError: it cannot be written. PipelineError: its source cannot be read.
    """
    from pipeline import io

    wanted.target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wanted.target.parent, prefix=".making-") as temp:
        aside = Path(temp) / wanted.target.name
        if wanted.song is None:
            io.encode_blocks(aside, _blocks(wanted), RATE, wanted.channels)
        else:
            _put_over(wanted, wanted.song, aside)
        aside.replace(wanted.target)


def _blocks(wanted: Wanted) -> Iterator[Float]:
    from pipeline.reader import AudioReader

    if wanted.source.suffix == ".pcm":
        yield from SamplesFile(wanted.source, wanted.channels).blocks(wanted.frames)
        return
    with AudioReader(wanted.source) as reader:
        yield from reader.blocks(channels=wanted.channels)


def _put_over(wanted: Wanted, song: Path, target: Path) -> None:
    """The mix for a take whose page has sent none: as its faders stood, without its effects."""
    from pipeline.song import mix
    from pipeline.song.track import Track, TrackWriter

    with TrackWriter(target.with_name("voice.wav.track"), RATE, 2) as writer:
        for block in _blocks(wanted):
            writer.append(block.repeat(2 // wanted.channels, 0))
    voice = Track(writer.path)
    backing = _unpacked(song, target.with_name("song.wav.track"), wanted.frames)
    settings = mix.MixSettings(1.0, wanted.song_gain)
    mix.write_mix(voice, backing, target, wanted.voice_gain, settings, lambda part: None)


def _unpacked(file: Path, target: Path, frames: int) -> Track:
    """An audio file at 48 kHz as a stereo track of a length; silence where it ends before."""
    from pipeline.reader import AudioReader
    from pipeline.song.track import Track, TrackWriter

    with AudioReader(file) as reader, TrackWriter(target, RATE, 2) as writer:
        for block in reader.blocks(channels=2):
            writer.append(block[:, : frames - writer.frames])
        while (left := frames - writer.frames) > 0:
            writer.append(np.zeros((2, min(left, BLOCK)), np.float32))
    return Track(target)
