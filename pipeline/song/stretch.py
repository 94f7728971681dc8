"""Music higher or lower, faster or slower: Signalsmith Stretch, in segments that are faded into each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.song.track import Track

Float = NDArray[np.float32]

SEGMENT_S = 20.0  # given to the library at a time, which knows nothing of what came before
MARGIN_S = 0.25  # on either side, so that its beginnings and ends are not heard
FADE_S = 0.08
TONALITY_HZ = 8000.0  # what lies above is noise more than tone, and keeps its place


def stretched(track: Track, semitones: float, tempo: float, block: int) -> Iterator[Float]:
    """The blocks of a track in another key and tempo: (channels, `block`), and a shorter last one.

    Args:
        track: whose sample n comes at n / tempo.
        semitones: higher.
        tempo: 1 as it is, 2 twice as fast.
        block: samples.
    """
    if semitones == 0.0 and tempo == 1.0:
        yield from track.blocks(block)
        return
    pending = np.zeros((track.channels, 0), np.float32)
    for segment in _segments(track, semitones, tempo):
        pending = np.concatenate((pending, segment), 1)
        whole = pending.shape[1] // block * block
        for start in range(0, whole, block):
            yield pending[:, start : start + block]
        pending = pending[:, whole:]
    if pending.shape[1]:
        yield pending


def length(track: Track, tempo: float) -> int:
    """Samples that `stretched` gives."""
    return round(track.frames / tempo)


def _segments(track: Track, semitones: float, tempo: float) -> Iterator[Float]:
    """Segments of what comes out; each is made from the part of the track that belongs there."""
    from python_stretch import Signalsmith

    size, margin, fade = (round(s * track.sample_rate) for s in (SEGMENT_S, MARGIN_S, FADE_S))
    angle = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
    before = np.zeros((track.channels, fade), np.float32)
    total = length(track, tempo)
    for start in range(0, total, size):
        stretch = Signalsmith.Stretch(1)
        stretch.preset(track.channels, float(track.sample_rate))
        stretch.setTransposeSemitones(semitones, TONALITY_HZ / track.sample_rate)
        stretch.setTimeFactor(tempo)
        source = track.read(round((start - margin) * tempo), round((size + fade + 2 * margin) * tempo))
        sound = np.asarray(stretch.process(source), np.float32)
        sound = sound[:, margin : margin + size + fade].copy()
        if start:
            sound[:, :fade] = before * np.cos(angle) + sound[:, :fade] * np.sin(angle)
        before = sound[:, size:].copy()
        yield sound[:, : min(size, total - start)]
