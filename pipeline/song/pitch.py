"""The third stage: the melody of the vocals, in segments, so that memory does not grow with the song."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.pitch import offline
from pipeline.pitch.trackers import Tracker
from pipeline.song.report import Report
from pipeline.song.track import Track

SEGMENT_S, OVERLAP_S = 32.0, 1.6  # multiples of the tracker's hop
SURE = 0.9  # confidence
SURE_SHARE = 0.12  # of the voiced frames of a voice; leakage of instruments stays below a tenth
LEAST_SUNG_S = 1.0
GLIDE = 0.25  # octaves between two frames; more is another note


class Melody(NamedTuple):
    """The pitch of a track every 16 ms."""

    f0_hz: NDArray[np.float32]  # (frames,) 0 where nothing is sung
    confidence: NDArray[np.float32]  # (frames,) 0 to 1

    def at(self, seconds: NDArray[np.floating]) -> NDArray[np.float32]:
        """The pitch in Hz at some instants: on the line between two voiced frames, else that of the nearer."""
        place = np.clip(np.asarray(seconds) / offline.HOP_S, 0, len(self.f0_hz) - 1)
        low = np.minimum(place.astype(int), max(len(self.f0_hz) - 2, 0))
        high = np.minimum(low + 1, len(self.f0_hz) - 1)
        part = place - low
        a, b = self.f0_hz[low], self.f0_hz[high]
        near = np.where(part < 0.5, a, b)
        close = (a > 0) & (b > 0) & (np.abs(np.log2(np.maximum(b, 1) / np.maximum(a, 1))) < GLIDE)
        line = np.maximum(a, 1) ** (1 - part) * np.maximum(b, 1) ** part
        return np.asarray(np.where(close, line, near), np.float32)

    @property
    def is_sung(self) -> bool:
        """Whether somebody sings: of leaking instruments, voiced as they are, SwiftF0 is seldom sure."""
        voiced, sure = (np.count_nonzero(self.confidence >= least) for least in (offline.VOICED, SURE))
        return bool(sure * offline.HOP_S > LEAST_SUNG_S and sure > SURE_SHARE * voiced)


def track_pitch(vocals: Track, tracker: Tracker, report: Report) -> Melody:
    """Track the pitch of vocals.

    Args:
        vocals: any track.
        tracker: of `pipeline.pitch.trackers`.
        report: told after every segment.
    """
    frames = int(vocals.seconds / offline.HOP_S) + 1
    melody = Melody(np.zeros(frames, np.float32), np.zeros(frames, np.float32))
    step = round((SEGMENT_S - 2 * OVERLAP_S) / offline.HOP_S)
    margin = round(OVERLAP_S / offline.HOP_S)
    for first in range(0, frames, step):
        start = round((first - margin) * offline.HOP_S * vocals.sample_rate)
        mono = vocals.read(start, round(SEGMENT_S * vocals.sample_rate)).mean(0)
        low = soxr.resample(mono, vocals.sample_rate, offline.RATE)
        found = tracker(np.ascontiguousarray(low, np.float32))
        for whole, part in zip(melody, (found.f0_hz, found.confidence), strict=True):
            known = part[margin : margin + min(step, frames - first)]
            whole[first : first + len(known)] = known
        report(min(1.0, (first + step) / frames))
    return melody
