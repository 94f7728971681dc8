"""A first look at an uploaded song, for which it is decoded once from end to end."""

from __future__ import annotations

from pathlib import Path


def examine_song(upload: Path, most_seconds: float) -> float:
    """The length of a song in seconds.

    Raises:
        PipelineError: it is no song, is damaged, or is longer than `most_seconds`.
    """
    from pipeline.errors import InvalidDuration
    from pipeline.reader import AudioReader

    with AudioReader(upload) as reader:
        most, frames = (most_seconds + 1) * reader.sample_rate, 0
        for block in reader.blocks(channels=1):
            frames += block.shape[1]
            if frames > most:
                raise InvalidDuration(
                    f"the song is longer than {most_seconds:g} s", "send a shorter part of it"
                )
        return frames / reader.sample_rate
