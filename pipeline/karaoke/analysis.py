"""All that a stage needs to know of a separated song, in one pass over its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.karaoke.chart import Chart, Note
from pipeline.karaoke.music import Key, Tempo, find_key, find_tempo, mono
from pipeline.karaoke.notes import segment
from pipeline.karaoke.octaves import repair
from pipeline.karaoke.phrases import phrases
from pipeline.pitch import offline
from pipeline.song.pitch import Melody
from pipeline.song.report import Report
from pipeline.song.track import Track

Float = NDArray[np.float32]

LEAKAGE_DB = 42.0  # below the loudest of the voice: what is left of the instruments there
FLOOR_DB = -120.0


@dataclass(frozen=True)
class Analysis:
    """What was found in a song; `key` and `tempo` are None where nothing was."""

    chart: Chart
    key: Key | None
    tempo: Tempo | None


def analyse(vocals: Track, accompaniment: Track, melody: Melody, report: Report) -> Analysis:
    """Find the notes, phrases, key and tempo of a song.

    Args:
        vocals, accompaniment: of the same rate and length.
        melody: the pitch of the vocals.
        report: told how far it is, 0 to 1.
    """
    notes: tuple[Note, ...] = ()
    if melody.is_sung:
        loudness = loudness_db(vocals, len(melody.f0_hz))
        report(0.1)
        f0_hz = np.where(loudness > loudness.max() - LEAKAGE_DB, melody.f0_hz, np.float32(0))
        notes = segment(repair(f0_hz, offline.HOP_S), loudness, offline.HOP_S)
    report(0.2)
    whole = mono([vocals, accompaniment])
    report(0.3)
    key = find_key(whole)
    report(0.6)
    tempo = find_tempo(whole)
    report(1.0)
    return Analysis(Chart(notes, phrases(notes)), key, tempo)


def loudness_db(track: Track, frames: int) -> Float:
    """(frames,) root mean square of a track around each frame of the pitch, in dB of full scale."""
    hop = offline.HOP_S * track.sample_rate
    power = np.zeros(frames)
    step = 2000  # frames at a time
    for first in range(0, frames, step):
        count = min(step, frames - first)
        start = round((first - 0.5) * hop)
        edges = np.round(np.arange(first, first + count + 1) * hop - 0.5 * hop).astype(int) - start
        squares = track.read(start, int(edges[-1])).mean(0).astype(np.float64) ** 2
        power[first : first + count] = np.add.reduceat(np.append(squares, 0.0), edges[:-1]) / np.diff(edges)
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10))), np.float32)
