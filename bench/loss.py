"""What each live transport does on a bad network: delay, stalls, concealment, distance.

A real server at one end of a wire (`bench.wire`), a singer at the other, real TCP and UDP between them. Each
performance begins without loss, then meets the weather of its condition, then is left in peace again; delays,
stalls and the rest are those of the frames sent in bad weather. Where it may, the program takes precedence over
whatever else the machine does, so that it measures the network's doing and not the scheduler's.

What comes back goes through the server's own `JitterBuffer`, as it would through the page's player: in order,
what is late waited for, what is lost made up for. So

- delay: from a frame's sending until its rendering can be played in order, heard or made up;
- stall: the time by which frames in a row were later than the loss-free 95th percentile of the delay;
- increase: the median delay in bad weather less the median before it; left: the median afterwards less that;
- concealed: what the server made up for or left silent (in), what did not come back at all (out), be it lost on
  the way back or dropped because too much was waiting, on either side;
- LSD: log-spectral distance of what is played from what the same transport played without loss.

Ends with 2 where network namespaces are not allowed: no figure is better than one of another network.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bench.continuity import FRAME, RATE, Take, measure
from bench.forwarder import Weather
from bench.lines import LINES
from bench.report import Report, parser
from bench.server import running, song
from bench.singer import Singer
from bench.wire import NoWire, Wire, stretched

BURST = 3.0  # packets lost in a row, on average, where losses are bursty
JITTER_S = 0.020
LEAD_S = 5.0  # without loss, before and after
NICENESS = -10
GOALS = {
    f"{transport}_3pct_{figure}": goal
    for transport in ("data", "track")
    for figure, goal in (
        ("longest_stall_ms", "<= 40"),
        ("delay_increase_ms", "<= 20"),
        ("delay_left_ms", "<= 20"),
    )
}
COLUMNS = {  # figure: (heading, decimals)
    "lost_pct": ("lost %", 1),
    "delay_p50_ms": ("delay p50", 1),
    "delay_p95_ms": ("p95 ms", 1),
    "longest_stall_ms": ("stall max", 1),
    "stalled_ms": ("total ms", 0),
    "stalled_over_40": ("> 40 ms", 0),
    "delay_increase_ms": ("increase", 1),
    "delay_left_ms": ("left ms", 1),
    "concealed_in_pct": ("in %", 1),
    "concealed_out_pct": ("out %", 1),
    "distance_db": ("LSD dB", 2),
}


def conditions(delay_s: float) -> dict[str, Weather]:
    """What is measured, each loss-free weather before those that are compared with it."""
    fine = Weather(delay_s=delay_s)
    shaky = replace(fine, jitter_s=JITTER_S)
    mixed = replace(shaky, reorder=True)
    return (
        {f"{pct}pct": replace(fine, loss=pct / 100) for pct in (0, 1, 3, 5, 10)}
        | {f"{pct}pct_bursty": replace(fine, loss=pct / 100, burst=BURST) for pct in (1, 3, 5, 10)}
        | {"jitter": shaky, "3pct_jitter": replace(shaky, loss=0.03)}
        | {"reorder": mixed, "3pct_reorder": replace(mixed, loss=0.03)}
    )


def lossless(weather: Weather) -> Weather:
    """The same but for the loss."""
    return replace(weather, loss=0.0, burst=1.0)


def run(wire: Wire, args: argparse.Namespace, report: Report) -> None:
    """Measure all conditions over all transports, and print the table row by row."""
    server, client = wire.ends
    lead, frames = int(LEAD_S * RATE) // FRAME, int(args.seconds * RATE) // FRAME
    lossy = range(lead, lead + frames)
    pcm = song((frames + 2 * lead) * FRAME / RATE)[: (frames + 2 * lead) * FRAME]
    wanted = _wanted(args)
    with contextlib.ExitStack() as stack:
        with server.inside():
            address, _ = stack.enter_context(running(server.address))
        print(" " * 23 + "".join(f"{title:>10s}" for title, _ in COLUMNS.values()))
        for transport in args.transports:
            fine: dict[Weather, Take] = {}
            for name, weather in wanted.items():
                wire.change(lossless(weather))
                for end in wire.ends:
                    end.forget()
                counts: list[dict[str, float]] = []

                def change(bad: bool, weather: Weather = weather, counts: list[Any] = counts) -> None:
                    counts.append(wire.change(weather if bad else lossless(weather)))

                async def perform(transport: str = transport, change: Callable[[bool], None] = change) -> Take:
                    return await Singer(LINES[transport]()).perform(address, args.converter, pcm, lossy, change)

                with client.inside():
                    take = asyncio.run(perform())
                if weather == lossless(weather):
                    fine[weather] = take
                figures = measure(take, fine[lossless(weather)], next(iter(fine.values())))
                bad = counts[-1]
                figures["lost_pct"] = 100 * bad["lost"] / max(bad["lost"] + bad["carried"], 1)
                figures["forwarder_late_p99_ms"] = 1000 * bad["late_p99_s"]
                figures["forwarder_late_max_ms"] = 1000 * bad["late_max_s"]
                _tell(report, transport, name, figures, len(lossy))


def _wanted(args: argparse.Namespace) -> dict[str, Weather]:
    """The conditions asked for, and those that they are compared with."""
    known = conditions(args.delay_ms / 1000)
    asked = {known[name] for name in args.conditions or known}
    needed = asked | {lossless(weather) for weather in asked} | {known["0pct"]}
    return {name: weather for name, weather in known.items() if weather in needed}


def _tell(report: Report, transport: str, name: str, figures: dict[str, float | None], n: int) -> None:
    row = f"{transport:>10s} {name:<12s}"
    for figure, (_, decimals) in COLUMNS.items():
        value = figures[figure]
        row += f"{'-' if value is None else format(value, f'.{decimals}f'):>10s}"
    print(row, flush=True)
    for figure, value in figures.items():
        key = f"{transport}_{name}_{figure}"
        unit = {"pct": "%", "40": "stalls"}.get(figure.rsplit("_", 1)[1], figure.rsplit("_", 1)[1])
        report.add(
            key, value if value is not None and np.isfinite(value) else None, unit, GOALS.get(key, ""), n
        )


def main() -> None:
    """Measure and report."""
    arguments = parser(__doc__)
    arguments.formatter_class = argparse.RawDescriptionHelpFormatter
    arguments.add_argument("--seconds", type=float, default=20, help="of bad weather in each condition")
    arguments.add_argument("--delay-ms", type=float, default=10, help="that every packet takes, each way")
    arguments.add_argument("--converter", default="passthrough")
    arguments.add_argument("--transports", nargs="+", choices=list(LINES), default=["ws", "data", "track"])
    arguments.add_argument("--conditions", nargs="+", choices=list(conditions(0)), metavar="NAME", default=[])
    arguments.add_argument("--seed", type=int, default=1)
    args = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is ended, too
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    report = Report("loss")
    try:
        with stretched(args.seed) as wire:
            run(wire, args, report)
    except NoWire as problem:
        print(
            f"bench.loss needs network namespaces and TUN devices, and there are none: {problem}",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    report.finish(args.json, goals_only=True)


if __name__ == "__main__":
    main()
