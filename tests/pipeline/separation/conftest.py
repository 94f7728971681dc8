from __future__ import annotations

import numpy as np


class Song:
    """A stereo mixture in memory."""

    def __init__(self, sound: np.ndarray, sample_rate: int = 44_100) -> None:
        self.sound = np.asarray(sound, np.float32)
        self.sample_rate = sample_rate
        self.channels, self.frames = sound.shape
        self.largest_read = 0

    def read(self, start: int, count: int) -> np.ndarray:
        self.largest_read = max(self.largest_read, count)
        out = np.zeros((self.channels, count), np.float32)
        low, high = max(start, 0), min(start + count, self.frames)
        if low < high:
            out[:, low - start : high - start] = self.sound[:, low:high]
        return out
