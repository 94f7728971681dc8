"""Does anything grow? A real server and singers for minutes: delay and memory, the end against the start."""

from __future__ import annotations

import asyncio
import statistics

from bench.report import Report, parser
from bench.server import Take, perform, resident_mb, running

SINGERS = 3
WINDOW = 0.1  # of the run, at its start (after warm-up) and at its end


async def _sing(address: str, pid: int, seconds: float) -> tuple[list[Take], list[float]]:
    memory: list[float] = []

    def each(told: float, take: Take) -> None:
        memory.append(resident_mb(pid))

    takes = await asyncio.gather(
        *(perform(address, seconds, seed=i, each=each if i == 0 else None) for i in range(SINGERS))
    )
    return list(takes), memory


def main() -> None:
    """Measure and report."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=10)
    args = arguments.parse_args()
    with running() as (address, pid):
        takes, memory = asyncio.run(_sing(address, pid, 60 * args.minutes))
    drift, unexplained = 0.0, 0
    for take in takes:
        part = max(100, int(WINDOW * len(take.held_ms)))
        change = statistics.median(take.held_ms[-part:]) - statistics.median(take.held_ms[part : 2 * part])
        drift = max(drift, abs(change))
        explained = sum(take.stats["dropped"].values())
        expected = take.sent // 480
        unexplained += max(0, expected - len(take.held_ms) - explained)
    warm = max(1, len(memory) // 5)
    report = Report("soak")
    report.add("delay_drift_ms", drift, "ms", "<= 1", sum(len(t.held_ms) for t in takes))
    report.add("memory_growth_mb", statistics.median(memory[-5:]) - memory[warm], "MB", "< 5", len(memory))
    report.add("unexplained_drops", unexplained, "blocks", "0")
    report.add("explained_drops", sum(sum(t.stats["dropped"].values()) for t in takes), "frames")
    report.add("minutes", args.minutes, "min")
    report.finish(args.json)


if __name__ == "__main__":
    main()
