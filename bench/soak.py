"""Does anything grow? A real server, used in every way for minutes or hours, looked at between rounds of it.

Some singers sing from the beginning to the end. Around them people come and go in rounds (`bench.visitors`):
sessions over each transport, songs, clones, rubbish, broken connections, texts, scrapes. After each round the
server is left with its singers until it holds what it holds (`bench.footprint`). Growth is the median of the
last third of these looks less that of the third after the first (where everything is still being loaded).
"""

from __future__ import annotations

import asyncio
import io as memory
import random
import statistics
import sys
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from auto_voice.settings import load_settings
from bench.footprint import Footprint, measure, stray
from bench.report import Report, parser
from bench.server import RATE, Take, perform, running, song
from bench.visitors import Visitors, Visits

SINGERS = 2
ROUND_S = 20.0
CALM_S = 3.0  # from the end of a round to the look
WINDOW = 0.1  # of a singer's time, at its start (after warm-up) and at its end


def recording(seconds: float, seed: int) -> bytes:
    """Synthetic singing as the bytes of a WAV file."""
    pcm, file = song(seconds, seed), memory.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, RATE, 0, "NONE", ""))
        writer.writeframes(pcm.tobytes())
    return file.getvalue()


async def soak(
    address: str, pid: int, seconds: float, data: Path, temp: Path
) -> tuple[list[Take], list[Footprint], Visits]:
    """Use a server; what its singers heard, what it held after each round, and what was done."""
    visitors = Visitors(address, pid, recording(8.0, 1), recording(4.0, 2), random.Random(1))
    singers = [asyncio.create_task(perform(address, seconds, seed=i)) for i in range(SINGERS)]
    looks: list[Footprint] = []
    end = asyncio.get_running_loop().time() + seconds - CALM_S
    while asyncio.get_running_loop().time() + ROUND_S + CALM_S < end or len(looks) < 3:
        await visitors.round(ROUND_S)
        await asyncio.sleep(CALM_S)
        looks.append(await measure(address, pid, data, temp, visitors.visits.jobs))
    return list(await asyncio.gather(*singers)), looks, visitors.visits


def growth(looks: list[Footprint], of: Callable[[Footprint], float]) -> float:
    """How much more there is in the last third than in the one after the first."""
    third = max(1, len(looks) // 3)
    early, late = looks[third : 2 * third], looks[-third:]
    return statistics.median(map(of, late)) - statistics.median(map(of, early))


def drift_ms(takes: list[Take]) -> float:
    """How far a singer's blocks are held longer, or shorter, at the end than at the start; the worst."""
    worst = 0.0
    for take in takes:
        part = max(100, int(WINDOW * len(take.held_ms)))
        change = np.median(take.held_ms[-part:]) - np.median(take.held_ms[part : 2 * part])
        worst = max(worst, abs(float(change)))
    return worst


def main() -> int:
    """Measure and report; 1 where something grew, got lost or went wrong."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=10)
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        data, temp = Path(name) / "data", Path(name) / "tmp"
        temp.mkdir()
        settings = {
            "AUTOVOICE_STORAGE__DATA_DIR": str(data),
            "AUTOVOICE_STORAGE__MODELS_DIR": str(load_settings().storage.models_dir),
            "AUTOVOICE_LIMITS__MIN_PROFILE_DURATION_S": "5",
            "AUTOVOICE_LIMITS__CONCURRENT_CONVERSIONS": "1",
            "AUTOVOICE_LIVE__MAX_STEP_FRACTION": "1",  # a busy machine is no reason to refuse a guest
            "TMPDIR": str(temp),
        }
        with running(**settings) as (address, pid):
            takes, looks, visits = asyncio.run(soak(address, pid, 60 * args.minutes, data, temp))
        left = stray(data, temp, visits.jobs)
    unexplained = sum(
        max(0, take.sent // 480 - len(take.held_ms) - sum(take.stats["dropped"].values())) for take in takes
    )
    n = len(looks)
    report = Report("soak")
    report.add("minutes", args.minutes, "min")
    report.add("delay_drift_ms", drift_ms(takes), "ms", "<= 1", sum(len(t.held_ms) for t in takes))
    report.add("unexplained_drops", unexplained, "blocks", "<= 0")
    report.add("explained_drops", sum(sum(t.stats["dropped"].values()) for t in takes), "frames")
    report.add("memory_mb", looks[-1].memory_mb, "MB")
    report.add("memory_growth_mb", growth(looks, lambda look: look.memory_mb), "MB", "<= 5", n)
    report.add("helpers_growth_mb", growth(looks, lambda look: look.helpers_mb), "MB", "<= 20", n)
    report.add("helpers_growth", growth(looks, lambda look: look.helpers), "processes", "<= 0", n)
    report.add("files_growth", growth(looks, lambda look: look.files), "files", "<= 0", n)
    report.add("threads_growth", growth(looks, lambda look: look.threads), "threads", "<= 0", n)
    report.add("tasks_growth", growth(looks, lambda look: look.tasks), "tasks", "<= 0", n)
    report.add("stray_files", max(len(left), *(look.stray for look in looks)), "files", "<= 0", n)
    report.add("wrong_answers", len(visits.wrong), "answers", "<= 0", sum(visits.done.values()))
    report.add("unopened_sessions", visits.unopened, "sessions", "", visits.done["sessions"])
    for kind, count in visits.done.items():
        report.add(kind, count, "")
    report.finish(args.json)
    for look in (*visits.wrong[:10], *left[:10], *looks[:: max(1, n // 20)]):
        print(look)
    return 0


if __name__ == "__main__":
    sys.exit(main())
