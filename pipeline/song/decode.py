"""The first stage: any audio file becomes a stereo track at the rate that separation works at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kernels.resampler import StreamResampler
from pipeline.errors import AudioTooShort, InvalidDuration, PoorQuality
from pipeline.reader import AudioReader
from pipeline.song.report import Report
from pipeline.song.track import Track, TrackWriter

SILENT_PEAK = 10 ** (-65 / 20)
SHORTEST_S = 1.0


@dataclass(frozen=True)
class SongInfo:
    """What is known of the uploaded file."""

    seconds: float
    sample_rate: int  # Hz, of the file
    channels: int
    format: str


def check_song(seconds: float, peak: float) -> None:
    """Refuse what is too short or too quiet to be a song.

    Args:
        seconds: it lasts.
        peak: its loudest sample, 1 at full scale.

    Raises:
        AudioTooShort, PoorQuality: as they say.
    """
    if seconds < SHORTEST_S:
        raise AudioTooShort(f"the song lasts {seconds:.1f} s", f"send at least {SHORTEST_S:g} s")
    if peak < SILENT_PEAK:
        raise PoorQuality("the song is silent", "check what was exported")


def decode_song(
    source: Path, target: Path, sample_rate: int, report: Report, *, max_seconds: float, max_bytes: int
) -> tuple[Track, SongInfo]:
    """Decode to a stereo track of `sample_rate` Hz, block by block.

    Raises:
        PipelineError: what `AudioReader` refuses; longer than `max_seconds`, shorter than a second, or silent.
    """
    peak = 0.0
    with AudioReader(source, max_bytes) as reader, TrackWriter(target, sample_rate, 2) as writer:
        resampler = StreamResampler(reader.sample_rate, sample_rate, 2)
        claimed = reader.seconds or max_seconds
        for block in reader.blocks(channels=2):
            writer.append(resampler.push(np.ascontiguousarray(block.T)).T)
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            if writer.frames > max_seconds * sample_rate:
                raise InvalidDuration(f"the song is longer than {max_seconds:g} s", "send a shorter part of it")
            report(min(1.0, reader.frames / reader.sample_rate / max(claimed, 1e-3)))
        writer.append(resampler.finish(np.zeros((0, 2), np.float32)).T)
        info = SongInfo(writer.frames / sample_rate, reader.sample_rate, reader.channels, reader.format)
    check_song(info.seconds, peak)
    return Track(target), info
