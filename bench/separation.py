"""How cleanly and how fast songs are taken apart: plain SDR of both stems on songs whose stems are known.

    python -m bench.separation --data DIR        (DIR/song/{vocals,accompaniment}.flac, .wav or .mp3)

Without --data, the stems of AUTOVOICE_TEST_AUDIO or ../shared/audio are used.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from auto_voice.settings import load_settings
from bench.report import Report, parser
from pipeline.reader import AudioReader
from pipeline.separation import MODELS, choose_separator

Float = NDArray[np.float32]
RATE = 44_100


class Song:
    """A stereo mixture in memory."""

    sample_rate, channels = RATE, 2

    def __init__(self, sound: Float) -> None:
        self.sound = sound
        self.frames = sound.shape[1]

    def read(self, start: int, count: int) -> Float:
        """(2, count) samples from `start` on; zeros outside."""
        out = np.zeros((2, count), np.float32)
        low, high = max(start, 0), min(start + count, self.frames)
        if low < high:
            out[:, low - start : high - start] = self.sound[:, low:high]
        return out


def sdr(reference: Float, estimate: Float) -> float:
    """Plain signal-to-distortion ratio in dB."""
    return float(10 * np.log10(np.sum(reference**2.0) / max(np.sum((reference - estimate) ** 2.0), 1e-12)))


def read(folder: Path, stem: str) -> Float:
    """One stem of a song, (2, samples) at 44.1 kHz."""
    path = next((p for p in sorted(folder.iterdir()) if p.stem == stem), None)
    if path is None:
        raise FileNotFoundError(f"{folder} holds no {stem}")
    with AudioReader(path) as reader:
        sound = np.concatenate(list(reader.blocks(channels=2)), 1)
        if reader.sample_rate != RATE:
            sound = soxr.resample(sound.T, reader.sample_rate, RATE).T
    return np.ascontiguousarray(sound, np.float32)


def main() -> int:
    """Measure every song of a folder."""
    arguments = parser(__doc__)
    audio = Path(os.environ.get("AUTOVOICE_TEST_AUDIO", "../shared/audio"))
    arguments.add_argument("--data", type=Path, default=audio / "stems")
    arguments.add_argument("--model", choices=MODELS, default="spleeter")
    arguments.add_argument("--shifts", type=int, default=1)
    options = arguments.parse_args()
    folders = [f for f in sorted(options.data.iterdir()) if f.is_dir()] if options.data.is_dir() else []
    if not folders:
        print(f"no songs in {options.data}", file=sys.stderr)
        return 1
    torch.set_num_threads(os.cpu_count() or 1)
    choice = choose_separator(options.model, load_settings().storage.models_dir, shifts=options.shifts)
    if choice.note:
        print(choice.note, file=sys.stderr)
    found: dict[str, list[float]] = {"vocals": [], "accompaniment": [], "mixture": []}
    spent = seconds = 0.0
    for folder in folders:
        vocals, rest = read(folder, "vocals"), read(folder, "accompaniment")
        length = min(vocals.shape[1], rest.shape[1])
        vocals, rest = vocals[:, :length], rest[:, :length]
        began = time.perf_counter()
        stems = list(choice.separator.separate(Song(vocals + rest)))
        spent += time.perf_counter() - began
        seconds += length / RATE
        found["vocals"].append(sdr(vocals, np.concatenate([s.vocals for s in stems], 1)))
        found["accompaniment"].append(sdr(rest, np.concatenate([s.accompaniment for s in stems], 1)))
        found["mixture"].append(sdr(vocals, vocals + rest))
        print(
            f"  {folder.name:30s} " + " ".join(f"{name} {values[-1]:6.2f} dB" for name, values in found.items())
        )
    report = Report(f"separation ({choice.separator.name})")
    goal = ">= 9.0 on mastered songs" if choice.separator.name == "spleeter" else ""
    report.add("vocals_sdr_median_db", float(np.median(found["vocals"])), "dB", goal, len(folders))
    report.add("accompaniment_sdr_median_db", float(np.median(found["accompaniment"])), "dB", "", len(folders))
    report.add("mixture_sdr_median_db", float(np.median(found["mixture"])), "dB", "", len(folders))
    report.add("real_time_factor", spent / seconds, "x", "<= 0.12", len(folders))
    report.finish(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
