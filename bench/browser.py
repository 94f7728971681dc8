"""The whole loop in a real browser: fake microphone, page, server and back, measured in the page's worklet.

A Chromium sings coded bursts (unique noise bursts at random distances) into the page; what is captured and
what is played are recorded at the same instants, and each burst is looked for in what was played.
Pass-through and the default converter run one after the other, over each transport, in the same browser and
server.

    python -m bench.browser --transport ws,track,data --json browser.json
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.bursts import coded_bursts, loop_delays, write_wav
from bench.page import CHROMIUM_ARGUMENTS, Tap, find_chromium, go_live, tap
from bench.report import Report, parser
from bench.service import Service
from pipeline.converters import DEFAULT

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = {"ws": "websocket", "track": "track", "data": "data"}
TRACK_MS = 60.0  # that a track may take beyond the algorithm


def _measure(page: Page, url: str, run: Run, seconds: float) -> Tap:
    go_live(page, f"{url}/?converter={run.converter}&transport={run.transport}")
    page.wait_for_timeout(3000)  # caches warm on both sides, the delay has settled
    measured = tap(page, seconds)
    page.click("#start")
    if measured.after["transport"] != run.transport:
        raise RuntimeError(f"{run.transport} was asked for, and {measured.after['transport']} was used")
    return measured


@dataclass(frozen=True)
class Run:
    """What is measured at a time."""

    converter: str
    transport: str

    @property
    def prefix(self) -> str:
        """Of the names of its figures."""
        return f"{'' if self.converter == DEFAULT else 'passthrough_'}{self.transport}_"


def _report(taps: dict[Run, Tap]) -> Report:
    report = Report("bench.browser")
    needed: dict[Run, float] = {}
    for run, measured in taps.items():
        delays, lost = loop_delays(measured.captured, measured.played)
        parts = measured.after["delay"]["parts_ms"]
        needed[run] = float(np.percentile(delays, 95)) if delays.size else float("nan")
        beside, websocket = Run("passthrough", run.transport), Run(run.converter, "websocket")
        goal = ""
        if run.transport == "track":
            goal = f"<= {TRACK_MS + parts['algorithm']:.1f} ({TRACK_MS:.0f} + algorithm)"
        elif run.transport == "data" and websocket in needed:
            goal = f"<= {needed[websocket] + 5:.1f} (WebSocket + 5 ms)"
        elif run != beside and beside in needed:
            extra = parts["algorithm"] - taps[beside].after["delay"]["parts_ms"]["algorithm"]
            goal = f"<= {needed[beside] + extra + 8:.1f} (pass-through + algorithm + 8 ms)"
        for p in (50, 95, 99):
            value = float(np.percentile(delays, p)) if delays.size else None
            report.add(f"{run.prefix}loop_p{p}_ms", value, "ms", goal if p == 95 else "", delays.size)
        report.add(f"{run.prefix}bursts_lost", lost, "bursts", "", delays.size + lost)
        report.add(f"{run.prefix}shown_loop_ms", measured.after["delay"]["loop_ms"], "ms")
        report.add(f"{run.prefix}algorithmic_delay_ms", parts["algorithm"], "ms")
        report.add(f"{run.prefix}mouth_to_ear_ms", measured.after["delay"]["mouth_to_ear_ms"], "ms")
        underruns = measured.after["counters"]["underruns"] - measured.before["counters"]["underruns"]
        report.add(f"{run.prefix}underruns", underruns, "underruns")
    return report


def main() -> int:
    """Measure pass-through and the default converter over each transport, and print the report."""
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=30, help="of each run")
    arguments.add_argument("--transport", default="ws,track,data", help="with commas between")
    options = arguments.parse_args()
    unknown = set(options.transport.split(",")) - set(NAMES)
    if unknown:
        arguments.error(f"no transport {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    transports = [NAMES[name] for name in options.transport.split(",")]
    chromium = find_chromium()
    if chromium is None:
        print("no Chromium: none of chromium, chromium-browser, google-chrome is on the PATH", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        microphone = folder / "bursts.wav"
        write_wav(microphone, coded_bursts(60, np.random.default_rng(7)))
        service = stack.enter_context(Service(folder))
        playwright = stack.enter_context(sync_playwright())
        flags = [
            *CHROMIUM_ARGUMENTS,
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}",
        ]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page()
        runs = [Run(name, transport) for name in ("passthrough", DEFAULT) for transport in transports]
        taps = {run: _measure(page, service.url, run, options.seconds) for run in runs}
        browser.close()
    _report(taps).finish(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
