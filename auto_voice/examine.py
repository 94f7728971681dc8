"""A first look at an uploaded song, for which it is decoded once from end to end."""

from __future__ import annotations

from pathlib import Path


def examine_song(upload: Path, most_seconds: float) -> float:
    """The length of a song in seconds.

    Raises:
        PipelineError: it is no song, is damaged, silent, very short, or longer than `most_seconds`.
    """
    from pipeline.errors import InvalidDuration
    from pipeline.reader import AudioReader
    from pipeline.song.decode import check_song

    with AudioReader(upload) as reader:
        most, frames, peak = (most_seconds + 1) * reader.sample_rate, 0, 0.0
        for block in reader.blocks(channels=1):
            frames += block.shape[1]
            peak = max(peak, float(abs(block).max(initial=0.0)))
            if frames > most:
                raise InvalidDuration(
                    f"the song is longer than {most_seconds:g} s", "send a shorter part of it"
                )
        seconds = frames / reader.sample_rate
        check_song(seconds, peak)
        return seconds
