"""How many requests are answered, and how soon, while four people sing: their timing is measured, too.

The server, the singers and who asks are three processes, which share this machine's cores: an answer waits for
a core as it would not on a server of its own.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from auto_voice.jobs.song_request import SongRequest
from auto_voice.jobs.store import JobStore
from auto_voice.storage.database import migrate
from bench.report import Report, parser
from bench.requests import ask
from bench.server import perform, running

SINGERS = 4
JOB = "conv-bench"
PATHS = {
    "health": "/health",
    "profiles": "/api/v1/voice/profiles",
    "job": f"/api/v1/convert/status/{JOB}",
}
CONNECTIONS = (1, 32, 256)
START_S = 2.0  # that singers need before anything counts


def submit(data: Path) -> None:
    """Put a conversion into the database of a server that converts none."""
    data.mkdir()
    url = f"sqlite:///{data / 'jobs.db'}"
    migrate(url)
    store = JobStore(url)
    request = asdict(SongRequest(voice_id="otto", preset="fast"))
    store.submit("song", {"request": request, "upload": "upload"}, job_id=JOB)
    store.close()


async def measure(report: Report, address: str, name: str, count: int, seconds: float) -> None:
    """Ask beside four singers (`count` of 0: they sing alone)."""
    singing = asyncio.gather(*(perform(address, START_S + seconds + 0.5, seed=seed) for seed in range(SINGERS)))
    await asyncio.sleep(START_S)
    if count:
        answers = await asyncio.to_thread(ask, address, PATHS[name], count, seconds)
        n = len(answers.times_ms)
        report.add(f"{name}_{count}_rps", answers.per_second, "1/s", "", n)
        report.add(f"{name}_{count}_p99_ms", float(np.percentile(answers.times_ms, 99)), "ms", "", n)
        report.add(f"{name}_{count}_failed", answers.failed, "answers", "<= 0", n)
    takes = await singing
    held = np.concatenate([take.held_ms[int(START_S * 100) :] for take in takes])
    beside = f"{name}_{count}" if count else "alone"
    report.add(f"live_{beside}_held_p99_ms", float(np.percentile(held, 99)), "ms", "", len(held))
    lost = sum(take.sent // 480 - len(take.held_ms) for take in takes)
    report.add(f"live_{beside}_lost", lost, "blocks", "<= 0", sum(take.sent // 480 for take in takes))


def main() -> int:
    """Measure and report."""
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each load")
    options = arguments.parse_args()
    report = Report("api")
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        submit(data)
        settings = {
            "AUTOVOICE_STORAGE__DATA_DIR": str(data),
            "AUTOVOICE_LIMITS__CONCURRENT_CONVERSIONS": "0",
            "AUTOVOICE_LIVE__MAX_STEP_FRACTION": "1",
        }
        with running(**settings) as (address, _):
            asyncio.run(measure(report, address, "", 0, options.seconds))
            for count in CONNECTIONS:
                for path in PATHS:
                    asyncio.run(measure(report, address, path, count, options.seconds))
    report.finish(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
