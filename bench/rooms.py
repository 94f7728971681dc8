"""Do two singers in a room sound together? Two real Chromiums sing to sound cards that hear themselves.

Each singer's page measures the round trip of its devices; then both sing in one room, and what their
microphones hear is the song that they play. So each voice is the song itself, under the pass-through converter,
and a listener who has all of it in line has three times the same. How far apart they are is found by
correlation, second by second. The partner is muted, or the microphones would hear it; what would be heard of
it, and how late, is measured before the mute.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.karaoke_sync import measure_round_trip, open_song, write_song
from bench.loopback import hearing_browser, loopback
from bench.report import Report, parser
from bench.service import Service

if TYPE_CHECKING:
    from playwright.sync_api import Page

Float = NDArray[np.float64]

RATE = 48_000
FARTHEST = 9_600  # samples at which a second is looked for ...
FARTHEST_PARTNER = 24_000  # ... in a voice that is late on purpose
ALIKE = 0.5  # normalised correlation from which on it is that second
SPARE_S = 12.0  # of the song around what is measured
PATIENCE_S = 120.0
TAP = """async (seconds) => {
  const { voices, song } = await autovoiceRoom.tap(seconds);
  const text = (samples) => {
    const bytes = new Uint8Array(samples.buffer);
    let s = '';
    for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(s);
  };
  return [...voices, song].map(text);
}"""


def tap(page: Page, seconds: float) -> list[Float]:
    """The voice of each place and the song, as a page has them at the same instants, before their volumes."""
    return [np.frombuffer(base64.b64decode(t), "<f4").astype(float) for t in page.evaluate(TAP, seconds)]


def snapshot(page: Page) -> dict[str, Any]:
    """The room as a page shows it."""
    found: dict[str, Any] = page.evaluate("() => autovoiceRoom.snapshot()")
    return found


def lags_ms(song: Float, voice: Float, farthest: int = FARTHEST) -> Float:
    """How late each second of a song comes in a voice; NaN where it does not."""
    found = []
    for start in range(0, len(song) - RATE + 1, RATE):
        wanted = song[start : start + RATE]
        low = max(0, start - farthest)
        heard = voice[low : start + RATE + farthest]
        size = 1 << (len(heard) + RATE).bit_length()
        likeness = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)
        likeness = likeness[: max(1, len(heard) - RATE + 1)]
        best = int(np.argmax(likeness))
        there = heard[best : best + RATE]
        share = likeness[best] / np.sqrt(np.sum(wanted**2) * np.sum(there**2) + 1e-12)
        found.append(1000 * (low + best - start) / RATE if share > ALIKE else np.nan)
    return np.array(found)


def until(condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait for something.

    Raises:
        RuntimeError: it does not happen.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("the room does not get there")
        time.sleep(0.1)


def enter(url: str, file: Path, host: Page, guest: Page, listener: Page) -> None:
    """The host opens a room, the others come in, and the song begins."""
    open_song(host, url, file, PATIENCE_S)
    host.click("#room-open")
    host.wait_for_selector("#room-members li")
    code = host.inner_text("#room-shown-code")
    for page, role in ((guest, "singer"), (listener, "listener")):
        page.goto(f"{url}/karaoke?converter=passthrough&room={code}")
        page.click(f"#room-join-{role}")
        page.wait_for_selector("#room-members li")
    for slider, volume in (("guide", "0"), ("track", "90"), ("own", "0")):
        guest.fill(f"#{slider}", volume)
    for page in (host, guest):
        page.check("#partner-mute", force=True)
        page.wait_for_selector("#sing:enabled", timeout=1000 * PATIENCE_S)
        measure_round_trip(page)
        page.click("#sing")
    host.wait_for_selector("#room-start:enabled", timeout=1000 * PATIENCE_S)
    host.click("#room-start")
    until(lambda: len([r for r in snapshot(listener)["reports"] if r["frames"] > 20]) == 2)


def _judge(report: Report, heard: list[Float], partner: list[Float], shown_ms: float, spare_ms: float) -> None:
    one, two = (lags_ms(heard[2], heard[place]) for place in (0, 1))
    both = ~np.isnan(one) & ~np.isnan(two)
    if not both.any():
        raise RuntimeError("the song is nowhere in what was sung")
    seconds = len(one)
    apart = np.abs(one - two)[both]
    report.add("voices_apart_p50_ms", float(np.median(apart)), "ms", "<= 2", len(apart))
    report.add("voices_apart_ms", float(np.percentile(apart, 95)), "ms", "<= 2", len(apart))
    off = np.abs(np.concatenate([one[both], two[both]]))
    report.add("voice_to_song_ms", float(np.percentile(off, 95)), "ms", "<= 2", len(off))
    report.add("seconds_not_found", seconds - int(both.sum()), "", "", seconds)
    report.add("listener_spare_ms", spare_ms, "ms", "> 0")
    late = lags_ms(partner[2], partner[1], FARTHEST_PARTNER)
    late = late[~np.isnan(late)]
    if len(late):
        report.add("partner_late_ms", float(np.median(late)), "ms", "", len(late))
        report.add("partner_late_shown_ms", shown_ms, "ms")


def main() -> int:
    """Measure and report."""
    from playwright.sync_api import sync_playwright

    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=60.0)
    options = arguments.parse_args()
    report = Report("rooms")
    with (
        tempfile.TemporaryDirectory() as name,
        loopback() as first,
        loopback() as second,
        sync_playwright() as playwright,
    ):
        folder = Path(name)
        write_song(folder / "song.flac", options.seconds + SPARE_S)
        browsers = [hearing_browser(playwright, environ) for environ in (first, second)]
        with Service(folder) as service:
            host, guest = (browser.new_page() for browser in browsers)
            listener = browsers[0].new_page()
            enter(service.url, folder / "song.flac", host, guest, listener)
            for slider in ("guide", "track", "own"):
                listener.fill(f"#{slider}", "0")  # its loudspeaker is the host's microphone
            heard = tap(listener, options.seconds / 2)
            spares = [r["spare"] for r in snapshot(listener)["reports"] if r["spare"] is not None]
            partner = tap(host, min(10.0, options.seconds / 4))  # a new worklet costs the host buffers: last
            shown = snapshot(host)["reports"][1]["delay"] / 48
            _judge(report, heard, partner, shown, min(spares, default=0.0) / 48)
        for browser in browsers:
            browser.close()
    report.finish(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
