"""How much delay the server adds: from the receipt of a block's last sample to its rendering at the socket.

A real server process, one real WebSocket client, blocks of 10 ms at the pace of real time. The algorithmic
delay is not in it and stands beside it.
"""

from __future__ import annotations

import asyncio

from bench.report import Report, parser
from bench.server import RATE, perform, running
from pipeline.converters import DEFAULT

WARM_UP_BLOCKS = 100


def main() -> None:
    """Measure and report."""
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--converter", default=DEFAULT)
    args = arguments.parse_args()
    with running() as (address, _):
        take = asyncio.run(perform(address, args.seconds, converter=args.converter))
    report = Report("live")
    goals = {"added_delay_p50_ms": "<= 3", "added_delay_p99_ms": "<= 10"}
    report.percentiles("added_delay", take.held_ms[WARM_UP_BLOCKS:], "ms", goals)
    report.add("algorithmic_delay_ms", 1000 * take.delay / RATE, "ms", "<= 30")
    report.add("dropped_frames", sum(take.stats["dropped"].values()), "frames", "0", len(take.held_ms))
    report.finish(args.json)


if __name__ == "__main__":
    main()
