"""The whole loop in a real browser: fake microphone, page, server and back, measured in the page's worklet.

A Chromium sings coded bursts (unique noise bursts at random distances) into the page; what is captured and
what is played are recorded at the same instants, and each burst is looked for in what was played.
Pass-through and the default converter run one after the other, over each transport, in the same browser and
server.

    python -m bench.browser --transport ws,data --json browser.json
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.report import Report, parser
from pipeline.converters import DEFAULT

if TYPE_CHECKING:
    from playwright.sync_api import Page

Signal = NDArray[np.float64]

SAMPLE_RATE = 48000
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
BURST = 960  # samples: 20 ms


def find_chromium() -> str | None:
    """The first installed Chromium on the PATH."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    return None


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Service:
    """`autovoice serve` in a process of its own, with its data in `folder`.

    Raises:
        RuntimeError: it did not come up within two minutes; the message ends with what it printed.
    """

    def __init__(self, folder: Path, capacity: int = 8) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "service.log"
        self.environment = {
            **os.environ,
            "AUTOVOICE_SERVER__HOST": "127.0.0.1",
            "AUTOVOICE_SERVER__PORT": str(self.port),
            "AUTOVOICE_LIVE__CAPACITY": str(capacity),
            "AUTOVOICE_LIVE__MAX_STEP_FRACTION": "1",  # a busy machine is no reason to refuse the one guest
            "AUTOVOICE_STORAGE__VOICE_PROFILES_DIR": str(folder / "profiles"),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [sys.executable, "-m", "auto_voice.web.app"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"{self.url}/api/v1/voice/profiles", timeout=5).close()
                return
            time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the server did not come up:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop the server and wait until it is gone."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def write_wav(path: Path, audio: Signal, sample_rate: int = SAMPLE_RATE) -> None:
    """Write mono 16-bit audio in [-1, 1]."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())


def coded_bursts(seconds: float, rng: np.random.Generator) -> Signal:
    """Unique 20 ms noise bursts of 200 to 8000 Hz, 150 to 450 ms apart."""
    audio = np.zeros(int(seconds * SAMPLE_RATE))
    at = SAMPLE_RATE // 10
    while at + BURST < audio.size:
        spectrum = np.fft.rfft(rng.standard_normal(BURST))
        hz = np.fft.rfftfreq(BURST, 1 / SAMPLE_RATE)
        spectrum[(hz < 200) | (hz > 8000)] = 0
        burst = np.fft.irfft(spectrum, BURST) * np.hanning(BURST)
        audio[at : at + BURST] = 0.5 * burst / np.abs(burst).max()
        at += int(rng.uniform(0.15, 0.45) * SAMPLE_RATE)
    return audio


def _burst_starts(captured: Signal) -> Iterator[int]:
    """Where bursts begin in what the microphone heard."""
    loud = np.convolve(np.abs(captured), np.ones(96) / 96, "same") > 0.02
    edges = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    last = -SAMPLE_RATE
    for edge in edges:
        if edge - last > 2 * BURST:
            last = int(edge)
            yield last


def loop_delays(captured: Signal, played: Signal, longest_s: float = 0.5) -> tuple[NDArray[np.float64], int]:
    """The delay of every burst from capture to playout, in ms, and how many could not be found again.

    Where the waveform survives, the delay is that of the highest normalised cross-correlation (its sign does
    not matter). A converter that re-makes the voice changes the waveform; where the correlation is below 0.5,
    the delay is that of the best match of the envelopes (1 ms RMS) of the second that begins with the burst:
    one burst looks like another, but no second has the distances of another.
    """
    delays: list[float] = []
    lost = 0
    window = int(longest_s * SAMPLE_RATE)
    for start in _burst_starts(captured):
        begin = max(0, start - 240)
        lag, height = 0, 0.0
        for size, view in ((BURST + 480, _as_it_is), (SAMPLE_RATE, _envelope)):
            room = played[begin : begin + window + size]
            if room.size < window + size:
                return np.array(delays), lost
            lag, height = _best_lag(view(captured[begin : begin + size]), view(room))
            if height >= 0.5:
                delays.append(1000 * lag / SAMPLE_RATE)
                break
        else:
            lost += 1
    return np.array(delays), lost


def _as_it_is(audio: Signal) -> Signal:
    return audio


def _envelope(audio: Signal) -> Signal:
    envelope = np.sqrt(np.convolve(audio**2, np.ones(48) / 48, "same"))
    return np.asarray(envelope - envelope.mean())


def _best_lag(template: Signal, room: Signal) -> tuple[int, float]:
    """The lag of the highest normalised cross-correlation, and its height in 0..1."""
    size = 1 << int(np.ceil(np.log2(room.size + template.size)))
    product = np.fft.irfft(np.fft.rfft(room, size) * np.conj(np.fft.rfft(template, size)), size)
    correlation = product[: room.size - template.size + 1]
    power = np.concatenate([[0.0], np.cumsum(room**2)])
    energy = power[template.size :] - power[: -template.size]
    scale = np.sqrt(np.maximum(energy, 1e-3 * (template**2).sum()) * (template**2).sum())
    heights = np.abs(correlation) / np.maximum(scale, 1e-12)
    best = int(np.argmax(heights))
    return best, float(heights[best])


def pitch_of(audio: Signal, sample_rate: int, low_hz: float = 60, high_hz: float = 1000) -> float:
    """The pitch of a steady tone in Hz, by autocorrelation with parabolic interpolation."""
    audio = np.asarray(audio, dtype=float) - np.mean(audio)
    size = 1 << int(np.ceil(np.log2(2 * audio.size)))
    correlation = np.fft.irfft(np.abs(np.fft.rfft(audio, size)) ** 2, size)[: audio.size]
    correlation /= np.arange(audio.size, 0, -1)  # unbiased, so that longer lags are not at a disadvantage
    first, last = int(sample_rate / high_hz), min(int(sample_rate / low_hz), audio.size // 2)
    lags = np.arange(first, last)
    peaks = lags[
        (correlation[lags] >= correlation[lags - 1])
        & (correlation[lags] > correlation[lags + 1])
        & (correlation[lags] > 0.85 * correlation[lags].max())
    ]
    lag = int(peaks[0])
    a, b, c = correlation[lag - 1 : lag + 2]
    return float(sample_rate / (lag + 0.5 * (a - c) / (a - 2 * b + c)))


@dataclass
class Tap:
    """What went in and what came out of the page's worklet, and its figures at the end."""

    captured: Signal
    played: Signal
    before: dict[str, Any]
    after: dict[str, Any]


TAP = """async (seconds) => {
  const { input, output } = await autovoice.tap(seconds);
  const shown = autovoice.snapshot();  // before the copying below can disturb anything
  const text = (samples) => {
    const bytes = new Uint8Array(samples.buffer);
    let s = '';
    for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(s);
  };
  return [text(input), text(output), shown];
}"""


def snapshot(page: Page) -> dict[str, Any]:
    """What the page shows, as figures."""
    figures: dict[str, Any] = page.evaluate("autovoice.snapshot()")
    return figures


def tap(page: Page, seconds: float) -> Tap:
    """Record `seconds` of both sides in the page's worklet."""
    before = snapshot(page)
    *sides, after = page.evaluate(TAP, seconds)
    captured, played = (np.frombuffer(base64.b64decode(text), np.float32).astype(float) for text in sides)
    return Tap(captured, played, before, after)


def wait_until(page: Page, holds: Callable[[dict[str, Any]], bool], timeout_s: float = 20) -> dict[str, Any]:
    """Wait until a snapshot of the page fulfils a condition, and return that snapshot.

    Asks from here rather than in the page, where a content policy forbids evaluation.

    Raises:
        TimeoutError: it did not within `timeout_s`; the message has the last snapshot.
    """
    end = time.monotonic() + timeout_s
    while True:
        figures = snapshot(page)
        if holds(figures):
            return figures
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout_s} s; the page shows {figures}")
        page.wait_for_timeout(50)


def go_live(page: Page, url: str, *, timeout_s: float = 30) -> None:
    """Open the page, press Start and wait until sound comes back."""
    page.goto(url)
    page.click("#start:enabled")
    wait_until(page, lambda s: s["state"] == "live" and s["counters"]["frames_received"] > 50, timeout_s)


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
        if run.transport != "websocket" and websocket in needed:
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
    arguments.add_argument("--transport", default="ws,data", help="which, of ws and data, with commas between")
    options = arguments.parse_args()
    names = {"ws": "websocket", "data": "data"}
    unknown = set(options.transport.split(",")) - set(names)
    if unknown:
        arguments.error(f"no transport {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    transports = [names[name] for name in options.transport.split(",")]
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
