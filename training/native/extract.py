"""Listen to recordings, every 5 ms, with the ears of `native`: one small file for each.

python -m training.native.extract --audio DIR --renditions DIR [DIR …] --features DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline import io
from pipeline.converters.native.frames import Frames, find_marks, measure, open_frames
from pipeline.pitch import live
from pipeline.timbre import BANDS, SAMPLE_RATE
from pipeline.vocoder.controls import take_hop
from pipeline.vocoder.grains import Work, make_work
from pipeline.vocoder.stream import HOP, Stream, open_stream
from training.native.voices import training_recordings

Float = NDArray[np.float32]

LEVEL = 0.5  # peak that every recording is brought to
TAIL = 960  # samples of silence, so that the last frames are heard


@njit(nogil=True, cache=True, error_model="numpy")
def _listen(
    v: Stream,
    f: Frames,
    pitch: live.LiveState,
    prior: Float,
    x: Float,
    power: Float,
    f0: Float,
    w: Work,
    tables: live.Tables,
) -> None:
    for h in range(len(f0)):
        hop = x[h * HOP : (h + 1) * HOP]
        found, _ = live.track_hop(pitch, 0, hop, tables)
        take_hop(v, 0, hop, -100.0, found)
        find_marks(v, 0, f)
        measure(v, 0, f, prior, w)
        power[h] = w.power
        f0[h] = f.f0[0]


def listen(audio: Float) -> tuple[Float, Float]:
    """Log power (hops, BANDS) and pitch in Hz (hops,), 0 unvoiced, of (samples,) at 48 kHz."""
    x = np.concatenate([audio, np.zeros(TAIL, np.float32)]).astype(np.float32)
    hops = len(x) // HOP
    power, f0 = np.zeros((hops, BANDS), np.float32), np.zeros(hops, np.float32)
    prior = np.zeros(BANDS, np.float32)
    _listen(
        open_stream(1),
        open_frames(1),
        live.open_state(1),
        prior,
        x,
        power,
        f0,
        make_work(),
        live.make_tables(),
    )
    return power, f0


def recordings(audio: Path, renditions: list[Path]) -> Iterator[tuple[str, Path]]:
    """What to listen to, by the name of its features."""
    yield from training_recordings(audio)
    for folder in renditions:
        for file in sorted(folder.glob("*.flac")):
            yield f"{folder.name}_{file.stem}", file


def main() -> None:
    """Listen to what has not been listened to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--renditions", type=Path, nargs="+", required=True)
    parser.add_argument("--features", type=Path, required=True)
    args = parser.parse_args()
    args.features.mkdir(parents=True, exist_ok=True)
    seconds = 0.0
    for name, file in recordings(args.audio, args.renditions):
        made = args.features / f"{name}.npz"
        if made.exists():
            continue
        sound = io.decode(file, sample_rate=SAMPLE_RATE, max_seconds=600)
        power, f0 = listen(sound.samples / max(float(np.abs(sound.samples).max()), 1e-3) * LEVEL)
        aside = made.with_suffix(".part")
        with aside.open("wb") as out:
            np.savez(out, P=power.astype(np.float16), K=(f0 > 0).astype(np.int8), F=f0, rate=sound.source_rate)
        aside.replace(made)
        seconds += len(sound.samples) / SAMPLE_RATE
    print(f"listened to {seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
