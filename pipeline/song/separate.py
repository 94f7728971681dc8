"""The second stage: the mixture becomes a track of vocals and a track of everything else."""

from __future__ import annotations

from pathlib import Path

from pipeline.separation.base import Separator
from pipeline.song.report import Report
from pipeline.song.track import Track, TrackWriter


def separate_song(mixture: Track, separator: Separator, folder: Path, report: Report) -> tuple[Track, Track]:
    """Write vocals.wav and accompaniment.wav into a folder; together they are the mixture."""
    vocals_path, rest_path = folder / "vocals.wav", folder / "accompaniment.wav"
    with (
        TrackWriter(vocals_path, mixture.sample_rate, 2) as vocals,
        TrackWriter(rest_path, mixture.sample_rate, 2) as rest,
    ):
        for stems in separator.separate(mixture):
            vocals.append(stems.vocals)
            rest.append(stems.accompaniment)
            report(vocals.frames / mixture.frames)
    return Track(vocals_path), Track(rest_path)
