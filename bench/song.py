"""A song of four minutes from file to file: how long it takes, again with another voice, and how much memory.

Real songs come from AUTOVOICE_TEST_AUDIO or ../shared/audio (repeated or cut to length); without them one is
synthesised. Each conversion runs in a process of its own, which is what its memory is measured of.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from auto_voice.settings import load_settings
from bench.report import Report, parser
from pipeline import io
from pipeline.reader import AudioReader
from pipeline.synthetic import sing, vibrato

RATE = 44_100
MEASURED = (
    "import resource, sys; sys.argv = ['autovoice', *sys.argv[1:]]\n"
    "from auto_voice.cli import app\n"
    "try: app()\n"
    "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)\n"
)


def make_song(path: Path, seconds: float) -> str:
    """Write a song of a length; returns where it is from."""
    folder = Path(os.environ.get("AUTOVOICE_TEST_AUDIO", "../shared/audio")) / "songs"
    songs = sorted(folder.glob("*.ogg")) if folder.is_dir() else []
    count = int(seconds * RATE)
    if songs:
        with AudioReader(songs[-1]) as reader:
            sound = np.concatenate(list(reader.blocks(channels=2)), 1)
        sound = np.tile(sound, -(-count // sound.shape[1]))[:, :count]
    else:
        voice = sing(vibrato(220, seconds, RATE), RATE, np.random.default_rng(1))[:count]
        sound = np.stack([voice, voice]) + 0.05 * np.random.default_rng(2).standard_normal((2, count))
    io.encode(path, sound.astype(np.float32), RATE)
    return songs[-1].name if songs else "synthetic"


def convert(song: Path, voice: str, preset: str | None, data: Path) -> tuple[float, float, dict[str, object]]:
    """Seconds, megabytes and result of one conversion."""
    models = load_settings().storage.models_dir
    environ = {
        **os.environ,
        "AUTOVOICE_STORAGE__DATA_DIR": str(data),
        "AUTOVOICE_STORAGE__MODELS_DIR": str(models),
    }
    command = [sys.executable, "-c", MEASURED, "convert", str(song), "--voice", voice, "--json"]
    command += ["-o", str(data / f"{voice}.wav"), *(("--preset", preset) if preset else ())]
    began = time.perf_counter()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return spent, float(done.stderr.strip().splitlines()[-1]), json.loads(done.stdout)


def main() -> int:
    """Convert one song to two voices."""
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=240.0)
    arguments.add_argument("--preset", help="the settings' default without")
    options = arguments.parse_args()
    report = Report("song")
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        source = make_song(data / "song.flac", options.seconds)
        convert(
            data / "song.flac", "nora", options.preset, data / "warm"
        )  # compiles, where that is still to do
        first, memory, result = convert(data / "song.flac", "otto", options.preset, data / "first")
        second, _, again = convert(data / "song.flac", "aria", options.preset, data / "first")
    print(f"{options.seconds:g} s of {source}")
    for note in result["notes"]:  # type: ignore[attr-defined]
        print(f"note: {note}")
    if not again["metadata"]["stems_from_cache"]:  # type: ignore[index]
        raise RuntimeError("the stems did not come from the cache")
    report.add("real_time_factor", first / options.seconds, "x", "<= 0.25")
    report.add("real_time_factor_cached", second / options.seconds, "x", "<= 0.1")
    report.add("peak_memory_mb", memory, "MB", "<= 1536")
    report.finish(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
