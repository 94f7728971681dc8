"""The trackers from which a song's melody can come, by name, all on one grid of instants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import weights
from pipeline.pitch import offline
from pipeline.pitch.fcpe import Fcpe
from pipeline.pitch.names import TRACKERS
from pipeline.pitch.offline import PitchTrack
from pipeline.pitch.rmvpe import Rmvpe

Tracker = Callable[[NDArray[np.float32]], PitchTrack]

FINE_HOP_S = 0.01  # of those that RVC's users know, and ...
LEAST = 1024  # ... samples that they need


def open_tracker(name: str, models_dir: Path) -> Tracker:
    """A tracker: (samples,) float32 at 16 kHz in, a pitch every 16 ms out.

    How sure one can be that somebody sings is SwiftF0's to say whichever is chosen: the others tell a salience,
    which is no probability.

    Args:
        name: one of `TRACKERS`.
        models_dir: with its weights.

    Raises:
        WeightsUnavailable: they are not there; names the command that fetches them.
        WeightsCorrupt: they are something else.
    """
    model = weights.fetch("swiftf0", models_dir)

    def swiftf0(audio: NDArray[np.float32]) -> PitchTrack:
        return offline.track(audio, offline.RATE, model)

    if name == TRACKERS[0]:
        return swiftf0
    fine = _load(name, weights.find(name, models_dir))

    def track(audio: NDArray[np.float32]) -> PitchTrack:
        found = swiftf0(audio)
        padded = np.pad(audio, (0, max(0, LEAST - len(audio))))
        f0_hz = fine.track(torch.from_numpy(padded)[None])[0].numpy()
        nearest = np.round(found.times_s / FINE_HOP_S).astype(int).clip(0, len(f0_hz) - 1)
        return replace(found, f0_hz=np.where(found.confidence > 0, f0_hz[nearest], np.float32(0)))

    return track


@cache
def _load(name: str, path: Path) -> Fcpe | Rmvpe:
    return Fcpe.load(path) if name == "fcpe" else Rmvpe.load(path)
