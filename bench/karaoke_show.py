"""Is the show smooth? A real Chromium sings a song from its first note to its last, and its own trace is read.

A callback is dropped where the sound card asked for a buffer and the page's audio thread had none: Chromium
notes it in its trace ("timed out") and counts it (`AudioContext.playbackStats`). Frames of the screen are
counted by the page itself. Chromium draws in software here, so a laptop with a graphics card has more to spare.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.karaoke_sync import open_song, write_song
from bench.loopback import hearing_browser, loopback
from bench.report import Report, parser
from bench.service import Service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

TRACED = ["audio", "webaudio"]
BUFFER_KB = 1 << 20  # of the trace
ASKED, MADE = "SyncReader::RequestMoreData", "AudioDestination::Render"  # by the sound card; by the page
SMOOTH_MS = 1000 / 60
WATCH = """
(() => {
  const Context = AudioContext;
  const contexts = [];
  globalThis.AudioContext = class extends Context {
    constructor(options) { super(options); contexts.push(this); }
  };
  const frames = [];
  const draw = (now) => { frames.push(now); requestAnimationFrame(draw); };
  requestAnimationFrame(draw);
  globalThis.watched = {
    begin: () => (frames.length = 0),
    read: () => ({ frames, underruns: contexts.at(-1).playbackStats?.underrunEvents ?? null }),
  };
})();
"""


def start_trace(browser: Browser) -> CDPSession:
    """Begin to trace what browser and pages do with sound."""
    session = browser.new_browser_cdp_session()
    config = {
        "includedCategories": TRACED,
        "excludedCategories": ["*"],
        "recordMode": "recordUntilFull",
        "traceBufferSizeInKb": BUFFER_KB,
    }
    session.send(
        "Tracing.start",
        {"traceConfig": config, "transferMode": "ReturnAsStream", "streamCompression": "gzip"},
    )
    return session


def end_trace(session: CDPSession, page: Page) -> list[dict[str, Any]]:
    """End the trace; its events."""
    ended: list[dict[str, Any]] = []

    def end(told: dict[str, Any]) -> None:
        ended.append(told)

    session.on("Tracing.tracingComplete", end)
    session.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(100)
    if ended[0].get("dataLossOccurred"):
        raise RuntimeError("the trace was too long: sing a shorter song")
    packed, done = b"", False
    while not done:
        part = session.send("IO.read", {"handle": ended[0]["stream"]})
        packed += b64decode(part["data"]) if part.get("base64Encoded") else part["data"].encode("latin-1")
        done = part["eof"]
    session.send("IO.close", {"handle": ended[0]["stream"]})
    events: list[dict[str, Any]] = json.loads(gzip.decompress(packed))["traceEvents"]
    return events


def main() -> int:
    """Measure and report."""
    from playwright.sync_api import sync_playwright

    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=300.0)
    options = arguments.parse_args()
    report = Report("karaoke_show")
    with tempfile.TemporaryDirectory() as name, loopback() as environ, sync_playwright() as playwright:
        folder = Path(name)
        write_song(folder / "song.flac", options.seconds)
        browser = hearing_browser(playwright, environ)
        with Service(folder) as service:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script(WATCH)
            open_song(page, service.url, folder / "song.flac", 60 + options.seconds)
            page.fill("#round-trip", "100")
            page.click("#sing")
            page.wait_for_selector("#sing:has-text('Stop')", timeout=60_000)
            page.evaluate("watched.begin()")
            before = page.evaluate("watched.read().underruns")
            session = start_trace(browser)
            page.wait_for_timeout(1000 * (options.seconds - 5))
            seen = page.evaluate("watched.read()")
            events = end_trace(session, page)
        browser.close()
    names = Counter(event["name"] for event in events)
    late = sum(count for event, count in names.items() if "timed out" in event.lower())
    if not names[ASKED] or not names[MADE]:
        raise RuntimeError("the trace holds no audio callbacks: this Chromium calls them otherwise")
    report.add("callbacks", names[MADE], "", n=names[ASKED])
    report.add("dropped_callbacks", max(late, names[ASKED] - names[MADE] - 1), "", "<= 0", names[ASKED])
    if seen["underruns"] is not None:
        report.add("underruns", seen["underruns"] - before, "", "<= 0")
    steps = np.diff(seen["frames"])
    report.add("frames_per_second", 1000 * len(steps) / float(np.sum(steps)), "", ">= 58", len(steps))
    report.percentiles("frame", steps.tolist(), "ms")
    report.add("frames_missed", float(np.mean(steps > 1.5 * SMOOTH_MS)) * 100, "%", n=len(steps))
    report.finish(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
