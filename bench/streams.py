"""How many live sessions one process carries: the batched step's p99 must stay under 8 of every 10 ms.

Every session sings its own synthetic line into the real engine at the pace of real time, all blocks at once
(the worst case for a step). The number is raised until the step no longer holds or audio is dropped.
Networks run where the settings say (AUTOVOICE_GPU__DEVICE).

With `--transport`, singers call a server process over that transport instead (`bench.callers`), and the number
is raised until the 99th percentile of the time from a frame's sending to its rendering's coming reaches 10 ms,
or one in a thousand renderings is missing. That time is an upper bound of the server's handling: it has the
network of this machine in it, and what the singers' own process takes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from auto_voice.device import choose_device
from auto_voice.settings import load_settings
from auto_voice.storage.profiles import BUILTIN
from bench.callers import carry_calls
from bench.lines import LINES
from bench.report import Report, parser
from bench.server import RATE, song
from bench.service import Service
from pipeline.converters import DEFAULT, available
from pipeline.converters.base import Controls, Converter
from pipeline.voice import Voice
from pipeline.voice_file import load_voice
from realtime.engine import Engine
from realtime.protocol import Audio
from realtime.session import Block
from realtime.stats import EngineStats

BLOCK = 480
COUNTS = (1, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64)
LIMIT_MS = 8.0
HANDLING_LIMIT_MS = 10.0
MOST_LOST = 0.001
GOALS = {"classic": ">= 16", "native": ">= 8"}


class Counter:
    """Takes what the engine renders, as a transport would."""

    def __init__(self) -> None:
        self.failure: str | None = None

    def on_block(self, block: Block) -> None:
        """Note when it came."""
        block.session.handed_over(block)

    def on_failure(self, message: str) -> None:
        """A session that fails ends the benchmark."""
        self.failure = message


async def carry(
    converter: str,
    count: int,
    seconds: float,
    converters: dict[str, Callable[[int], Converter]],
) -> EngineStats:
    """Run `count` sessions of one of `converters` for a while and return the engine's figures.

    Raises:
        RuntimeError: a session failed, or blocks are missing though none was dropped.
    """
    engine = Engine({converter: converters[converter]}, capacity=count, block=BLOCK, max_busy=100.0)
    await asyncio.to_thread(engine.warm)
    engine.start(asyncio.get_running_loop())
    controls = Controls(pitch_semitones=4.0)
    counters = [Counter() for _ in range(count)]
    sessions = [engine.open_session(converter, _voice(), controls, counter) for counter in counters]
    lines = [song(8.0, seed) for seed in range(min(count, 8))]
    began = time.perf_counter()
    for block in range(int(seconds * RATE / BLOCK)):
        await asyncio.sleep(max(0.0, began + block * BLOCK / RATE - time.perf_counter()))
        for i, session in enumerate(sessions):
            line = lines[i % len(lines)]
            place = (block + 37 * i) * BLOCK % (len(line) - BLOCK)
            session.inbox.put(Audio(block, block * BLOCK, line[place : place + BLOCK].tobytes()))
        engine.wake()
    await asyncio.sleep(0.1)
    stats = engine.snapshot()
    engine.stop()
    failures = [counter.failure for counter in counters if counter.failure is not None]
    if failures:
        raise RuntimeError(f"{len(failures)} of {count} sessions failed: {failures[0]}")
    if not stats.dropped and stats.blocks < count * int(seconds * RATE / BLOCK):
        raise RuntimeError(f"only {stats.blocks} blocks of {count} sessions were converted")
    return stats


def _voice() -> Voice:
    return load_voice(BUILTIN / "bruno.safetensors")


def main() -> None:
    """Find how many fit."""
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=6, help="for each number of sessions")
    arguments.add_argument("--converter", help=f"{DEFAULT}, or passthrough with --transport")
    arguments.add_argument("--transport", choices=list(LINES), help="call a server process over it")
    arguments.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="that share a step's rows")
    args = arguments.parse_args()
    args.converter = args.converter or ("passthrough" if args.transport else DEFAULT)
    report = call(args) if args.transport else fill(args)
    report.finish(args.json)


def call(args: argparse.Namespace) -> Report:
    """Raise the number of singers who call a server until they no longer fit."""
    carried, p99, cores = 0, None, None
    with tempfile.TemporaryDirectory() as folder, Service(Path(folder), capacity=COUNTS[-1]) as service:
        assert service.process is not None
        address, pid = service.url.removeprefix("http://"), service.process.pid
        for count in COUNTS:
            found = asyncio.run(
                carry_calls(
                    LINES[args.transport],
                    args.transport == "track",
                    address,
                    pid,
                    count,
                    args.seconds,
                    args.converter,
                )
            )
            p50, p95, last = np.percentile(found.handled_ms, [50, 95, 99])
            late = np.percentile(found.lateness_ms, 99)
            print(
                f"  {count:3d} singers: handled p50 {p50:.2f} ms, p95 {p95:.2f} ms, p99 {last:.2f} ms; "
                f"sent p99 {late:.2f} ms late; {found.lost} of {found.sent} lost; "
                f"server {found.server_cores:.2f}, singers {found.singer_cores:.2f} cores"
            )
            if last >= HANDLING_LIMIT_MS or found.lost > MOST_LOST * found.sent:
                break
            carried, p99, cores = count, float(last), found.server_cores
    report = Report(f"streams of {args.converter} by {args.transport}")
    report.add("streams", carried, "sessions", ">= 12", int(args.seconds * RATE / BLOCK))
    report.add("handling_p99_ms", p99, "ms", "< 10")
    report.add("server_cores", cores, "cores")
    return report


def fill(args: argparse.Namespace) -> Report:
    """Raise the number of sessions in an engine until they no longer fit."""
    device = choose_device(load_settings()).name
    converters = available(args.threads, device)
    carried, p99, medians = 0, None, []
    for count in COUNTS:
        stats = asyncio.run(carry(args.converter, count, args.seconds, converters))
        print(
            f"  {count:3d} sessions: step p50 {stats.step_p50_ms:.2f} ms, p99 {stats.step_p99_ms:.2f} ms, "
            f"dropped {stats.dropped}"
        )
        assert stats.step_p50_ms is not None and stats.step_p99_ms is not None  # blocks were converted
        medians.append((count, stats.step_p50_ms))
        if stats.step_p99_ms >= LIMIT_MS or stats.dropped:
            break
        carried, p99 = count, stats.step_p99_ms
    else:
        print(f"  ({COUNTS[-1]} were carried, and more were not tried)")
    counts, times = np.array(medians).T
    slope = float(np.polyfit(counts, times, 1)[0]) if len(counts) > 1 else None
    report = Report(f"streams of {args.converter}, {args.threads} threads, {device}")
    report.add("streams", carried, "sessions", GOALS.get(args.converter, ""), int(args.seconds * RATE / BLOCK))
    report.add("step_p99_ms", p99, "ms", "< 8")
    report.add("cost_per_stream_us", None if slope is None else 1000 * slope, "us per 10 ms")
    return report


if __name__ == "__main__":
    main()
