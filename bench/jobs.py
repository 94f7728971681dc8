"""Do jobs survive? A queue of short songs while workers are killed at random: each must end exactly once."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from auto_voice.jobs.model import Status
from auto_voice.jobs.song_request import SongRequest
from auto_voice.jobs.store import JobStore
from auto_voice.jobs.supervisor import Supervisor
from auto_voice.settings import Settings, load_settings
from auto_voice.storage.database import migrate
from bench.report import Report, parser
from pipeline import io
from pipeline.synthetic import sing, vibrato

RATE = 44_100
MOST_SECONDS = 1800.0


def fill(settings: Settings, store: JobStore, count: int) -> None:
    """Put songs of two seconds into the queue, a few contents and all voices."""
    songs = []
    for seed in range(5):
        sound = 0.3 * sing(vibrato(200.0 + 20 * seed, 2.0, RATE), RATE, np.random.default_rng(seed))
        songs.append(settings.storage.data_dir / f"song-{seed}.wav")
        io.encode(songs[-1], sound, RATE)
    voices = ("aria", "bruno", "clara", "otto")
    for index in range(count):
        job_id = f"conv-bench-{index:04d}"
        folder = settings.storage.results_dir / job_id
        folder.mkdir(parents=True)
        (folder / "upload").write_bytes(songs[index % len(songs)].read_bytes())
        request = SongRequest(voices[index % len(voices)], "fast", pitch_shift_semitones=float(index % 5))
        store.submit("song", {"request": asdict(request), "upload": "upload"}, job_id=job_id)


def main() -> int:
    """Run a queue to its end under fire."""
    arguments = parser(__doc__)
    arguments.add_argument("--jobs", type=int, default=200)
    arguments.add_argument("--workers", type=int, default=4)
    arguments.add_argument(
        "--kill-every", type=float, default=8.0, help="seconds between two kills, on average"
    )
    options = arguments.parse_args()
    rng = random.Random(1)
    kills = 0
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings(
            environ={
                "AUTOVOICE_STORAGE__DATA_DIR": name,
                "AUTOVOICE_STORAGE__MODELS_DIR": str(load_settings().storage.models_dir),
                "AUTOVOICE_LIMITS__CONCURRENT_CONVERSIONS": str(options.workers),
            }
        )
        migrate(settings.database_url)
        store = JobStore(settings.database_url)
        fill(settings, store, options.jobs)
        supervisor = Supervisor(settings, store)
        supervisor.start()
        began = time.monotonic()
        next_kill = began + 10
        done = 0
        while done < options.jobs and time.monotonic() - began < MOST_SECONDS:
            time.sleep(0.2)
            counts = store.counts()
            done = sum(count for status, count in counts.items() if Status(status).finished)
            if time.monotonic() > next_kill and supervisor.processes:
                next_kill = time.monotonic() + rng.expovariate(1 / options.kill_every)
                try:
                    os.kill(rng.choice(supervisor.processes), signal.SIGKILL)
                    kills += 1
                except ProcessLookupError:
                    continue
        spent = time.monotonic() - began
        supervisor.stop()
        found, total = store.list(limit=options.jobs + 1)
        whole = [
            job
            for job in found
            if job.status is Status.COMPLETED
            and job.result is not None
            and all(_sounds(Path(name), job.id, file) for file in job.result["files"].values())
        ]
        attempts = [job.attempts for job in found]
        store.close()
    report = Report("jobs")
    report.add("jobs", total, "jobs", str(options.jobs))
    report.add("completed_once", len(whole), "jobs", str(options.jobs), total)
    report.add("kills", kills, "kills")
    report.add("attempts_mean", float(np.mean(attempts)), "attempts", "", total)
    report.add("attempts_most", max(attempts), "attempts", "", total)
    report.add("seconds", spent, "s")
    report.finish(options.json)
    return 0


def _sounds(data: Path, job_id: str, file: str) -> bool:
    return (data / "results" / job_id / "result" / file).stat().st_size > RATE


if __name__ == "__main__":
    sys.exit(main())
