"""Does a take line up with its song? A real Chromium sings karaoke to a sound card that hears itself.

The page makes a stage of a song, measures the round trip of its devices with its own sweeps, and sings: what
its microphone hears is the song that it plays. In a take that is in time, the dry voice is therefore the
accompaniment at the same sample, and so is the converted voice under the pass-through converter. Where each
second of them lies is found by correlation. A second singing with a round trip that is wrong by a known offset
must be off by that much.
"""

from __future__ import annotations

import sys
import tempfile
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.loopback import hearing_browser, loopback
from bench.melodies import RATE, make_song
from bench.report import Report, parser
from bench.service import Service
from pipeline import io

if TYPE_CHECKING:
    from playwright.sync_api import Page

Float = NDArray[np.float64]

TAKE_RATE = 48_000
WRONG_MS = 25.0
FARTHEST = 9_600  # samples at which a second is looked for
ALIKE = 0.5  # normalised correlation from which on it is that second
LOOP_S = 30.0


def write_song(path: Path, seconds: float) -> None:
    """A band and a singer, over and over."""
    song = make_song(5, min(seconds, LOOP_S))
    sound = song.voice + song.band
    count = int(seconds * RATE)
    io.encode(path, np.tile(sound, -(-count // sound.shape[1]))[:, :count], RATE)


def open_song(page: Page, url: str, file: Path, patience_s: float) -> None:
    """Bring a song to the page and wait until it can be sung, heard by nothing but the loop."""
    page.goto(f"{url}/karaoke?converter=passthrough")
    page.set_input_files("#song-file", str(file))
    page.wait_for_selector("#songs .song-row button:enabled strong", timeout=1000 * patience_s)
    page.click("#songs .song-row button >> nth=0")
    page.wait_for_selector("#sing:enabled", timeout=1000 * patience_s)
    for slider, volume in (("guide", "0"), ("track", "90"), ("own", "0")):
        page.fill(f"#{slider}", volume)


def measure_round_trip(page: Page) -> float:
    """Have the page measure it; milliseconds."""
    page.click("#measure")
    page.wait_for_selector("#measure:enabled", timeout=30_000)
    if not page.input_value("#round-trip"):
        raise RuntimeError(page.inner_text("#measure-note"))
    return float(page.input_value("#round-trip"))


def sing(page: Page, seconds: float, folder: Path, number: int) -> dict[str, Float]:
    """Sing the song to its end; the parts of the take."""
    page.click("#sing")
    page.wait_for_selector(f'a[download="autovoice-take-{number}-mix.wav"]', timeout=1000 * (seconds + 120))
    found = {}
    for part in ("dry", "converted", "accompaniment"):
        with page.expect_download() as download:
            page.click(f'a[download="autovoice-take-{number}-{part}.wav"]')
        download.value.save_as(folder / f"{part}.wav")
        found[part] = read_part(folder / f"{part}.wav")
    page.wait_for_selector("body[data-state=idle]", timeout=20_000)
    return found


def read_part(path: Path) -> Float:
    """A file of a take, mixed to one channel."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        mixed: Float = pcm.reshape(-1, file.getnchannels()).mean(1) / 32768
    return mixed


def lags_ms(song: Float, voice: Float) -> Float:
    """How late each second of the song is in a voice; NaN where it is not in there."""
    found = []
    for start in range(2 * TAKE_RATE, min(len(song), len(voice)) - 2 * TAKE_RATE, TAKE_RATE):
        wanted = song[start : start + TAKE_RATE]
        heard = voice[start - FARTHEST : start + TAKE_RATE + FARTHEST]
        size = 1 << (len(heard) + len(wanted)).bit_length()
        spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size))
        likeness = np.fft.irfft(spectrum, size)[: 2 * FARTHEST + 1]
        best = int(np.argmax(likeness))
        there = heard[best : best + TAKE_RATE]
        share = likeness[best] / np.sqrt(np.sum(wanted**2) * np.sum(there**2) + 1e-12)
        found.append(1000 * (best - FARTHEST) / TAKE_RATE if share > ALIKE else np.nan)
    return np.array(found)


def _summary(report: Report, prefix: str, lags: Float, goals: bool) -> None:
    known = lags[~np.isnan(lags)]
    part = max(1, len(lags) // 10)
    if not len(known):
        raise RuntimeError("the song is nowhere in what was captured")
    drift = abs(float(np.nanmedian(lags[-part:]) - np.nanmedian(lags[:part])))
    worst = float(np.percentile(np.abs(known), 95))
    report.add(f"{prefix}alignment_error_ms", worst, "ms", "<= 2" if goals else "", len(known))
    report.add(f"{prefix}drift_ms", drift, "ms", "<= 1" if goals else "", len(known))
    report.add(f"{prefix}seconds_not_found", int(np.isnan(lags).sum()), "", "", len(lags))


def main() -> int:
    """Measure and report."""
    from playwright.sync_api import sync_playwright

    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=300.0)
    options = arguments.parse_args()
    report = Report("karaoke_sync")
    with tempfile.TemporaryDirectory() as name, loopback() as environ, sync_playwright() as playwright:
        folder = Path(name)
        write_song(folder / "song.flac", options.seconds)
        write_song(folder / "short.flac", 15.0)
        browser = hearing_browser(playwright, environ)
        with Service(folder) as service:
            page = browser.new_page()
            open_song(page, service.url, folder / "song.flac", 60 + options.seconds)
            trip = measure_round_trip(page)
            report.add("round_trip_ms", trip, "ms")
            take = sing(page, options.seconds, folder, 1)
            _summary(report, "", lags_ms(take["accompaniment"], take["dry"]), goals=True)
            _summary(report, "converted_", lags_ms(take["accompaniment"], take["converted"]), goals=True)
            page = browser.new_page()
            open_song(page, service.url, folder / "short.flac", 120)
            page.fill("#round-trip", str(measure_round_trip(page) - WRONG_MS))
            take = sing(page, 15.0, folder, 1)
            off = float(np.nanmedian(lags_ms(take["accompaniment"], take["dry"])))
            report.add("error_of_known_offset_ms", abs(off - WRONG_MS), "ms", "<= 2")
        browser.close()
    report.finish(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
