from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.song.track import Track, TrackWriter

MakeTrack = Callable[..., Track]


@pytest.fixture
def make_track(tmp_path: Path) -> MakeTrack:
    """Write (channels, samples) to a track."""
    count = 0

    def make(sound: np.ndarray, sample_rate: int = 44_100) -> Track:
        nonlocal count
        count += 1
        path = tmp_path / f"track-{count}.wav"
        with TrackWriter(path, sample_rate, len(sound)) as writer:
            writer.append(np.asarray(sound, np.float32))
        return Track(path)

    return make
