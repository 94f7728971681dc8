"""The third stage: the melody of the vocals, in segments, so that memory does not grow with the song."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.pitch import offline
from pipeline.song.report import Report
from pipeline.song.track import Track

SEGMENT_S, OVERLAP_S = 32.0, 1.6  # multiples of the tracker's hop
HOP = round(offline.HOP_S * offline.RATE)


def track_pitch(vocals: Track, model: Path, report: Report) -> NDArray[np.float32]:
    """The pitch every 16 ms of a track, (frames,) in Hz, 0 where nothing is sung.

    Args:
        vocals: any track.
        model: the registered weights "swiftf0".
        report: told after every segment.
    """
    frames = int(vocals.seconds / offline.HOP_S) + 1
    f0 = np.zeros(frames, np.float32)
    step = round((SEGMENT_S - 2 * OVERLAP_S) / offline.HOP_S)
    margin = round(OVERLAP_S / offline.HOP_S)
    for first in range(0, frames, step):
        start = round((first - margin) * offline.HOP_S * vocals.sample_rate)
        mono = vocals.read(start, round(SEGMENT_S * vocals.sample_rate)).mean(0)
        low = soxr.resample(mono, vocals.sample_rate, offline.RATE)
        found = offline.track(low, offline.RATE, model).f0_hz[margin : margin + step]
        count = min(len(found), frames - first)
        f0[first : first + count] = found[:count]
        report(min(1.0, (first + step) / frames))
    return f0
