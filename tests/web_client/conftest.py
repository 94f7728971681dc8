"""A real Chromium, the page's files on a plain server, and the whole service in a process of its own."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from bench.bursts import SAMPLE_RATE
from bench.page import CHROMIUM_ARGUMENTS, find_chromium
from bench.service import Service

ROOT = Path(__file__).resolve().parents[2]
WEB_CLIENT = ROOT / "web_client"


@pytest.fixture(scope="module")
def chromium() -> str:
    """The path of an installed Chromium."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: none of chromium, chromium-browser, google-chrome is on the PATH")
    return path


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    # Stopped with each module: while it runs it holds the thread's event loop, which asyncio tests need.
    with sync_playwright() as running:
        yield running


Launch = Callable[..., Browser]


@pytest.fixture(scope="module")
def launch(playwright: Playwright, chromium: str) -> Iterator[Launch]:
    """Start a browser: `launch(microphone=WAV or None, fake_device=…, fake_permission=…, more=flags)`."""
    browsers: list[Browser] = []

    def start(
        microphone: Path | None = None,
        *,
        fake_device: bool = True,
        fake_permission: bool = True,
        more: tuple[str, ...] = (),
    ) -> Browser:
        arguments = [*CHROMIUM_ARGUMENTS, *more]
        if fake_device:
            arguments.append("--use-fake-device-for-media-stream")
        if fake_permission:
            arguments.append("--use-fake-ui-for-media-stream")
        if microphone is not None:
            arguments.append(f"--use-file-for-fake-audio-capture={microphone}")
        browsers.append(playwright.chromium.launch(executable_path=chromium, args=arguments))
        return browsers[-1]

    yield start
    for browser in browsers:
        browser.close()


@pytest.fixture
def open_page() -> Iterator[Callable[..., Page]]:
    """Pages in contexts of their own; what they complain about fails the test."""
    complaints: list[str] = []
    pages: list[Page] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def start(browser: Browser, *, strict: bool = True, **options: Any) -> Page:
        page = browser.new_context(**options).new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if strict:
            page.on("console", hear)
        pages.append(page)
        return page

    yield start
    for page in pages:
        page.context.close()
    assert complaints == []


def saved_take(page: Page, folder: Path) -> dict[str, np.ndarray]:
    """Download the newest take: int16 samples of `dry` and `converted`."""
    kinds = {}
    for kind in ("converted", "dry"):
        with page.expect_download() as download:
            page.click(f".take:first-child .track-{kind} a.download")
        path = folder / f"{kind}.wav"
        download.value.save_as(path)
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels()) == (SAMPLE_RATE, 1)
            kinds[kind] = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return kinds


class _Files(http.server.SimpleHTTPRequestHandler):
    """`/client/…` is the web_client folder; anything else is an empty page to run modules in."""

    def do_GET(self) -> None:
        if self.path.startswith("/client/"):
            self.path = self.path.removeprefix("/client")
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def files_url() -> Iterator[str]:
    """A plain file server: enough for modules that need no service."""
    handler = functools.partial(_Files, directory=str(WEB_CLIENT))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def modules(launch: Launch, files_url: str) -> Page:
    """A blank page from which the modules of web_client can be imported and called."""
    page = launch().new_page()
    page.goto(files_url)
    return page


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The whole program, as `autovoice serve` runs it, with room for two singers."""
    running = Service(tmp_path_factory.mktemp("service"), capacity=2)
    running.environment["AUTOVOICE_SECURITY__ALLOWED_ORIGINS"] = "['http://autovoice.test']"  # it has two names
    with running:
        yield running


class Line:
    """A TCP line to the service that can be cut, mended and stalled."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.up = True
        self.flowing = threading.Event()
        self.flowing.set()
        self.pairs: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.up:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            self.pairs += [near, far]
            for source, sink in ((near, far), (far, near)):
                self.threads.append(threading.Thread(target=self._carry, args=(source, sink)))
                self.threads[-1].start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.flowing.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self.up = False
        for end in self.pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def stall(self, seconds: float) -> None:
        """Let nothing through for a while, then all of it at once."""
        self.flowing.clear()
        time.sleep(seconds)
        self.flowing.set()

    def mend(self) -> None:
        """Let connections through again."""
        self.up = True

    def close(self) -> None:
        self.cut()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join()
        for end in self.pairs:
            end.close()


@pytest.fixture
def line(service: Service) -> Iterator[Line]:
    """The service behind a line that a test may cut."""
    made = Line(service.port)
    yield made
    made.close()


@pytest.fixture(scope="session")
def tsc(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A command that runs the TypeScript compiler."""
    installed = shutil.which("tsc")
    if installed:
        return [installed]
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no Node: neither tsc nor npm is on the PATH")
    folder = tmp_path_factory.mktemp("typescript")
    command = [
        npm,
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        "typescript@5.9.3",
    ]
    environment = {**os.environ, "npm_config_fetch_retries": "1"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm install typescript took longer than 90 s")
    if done.returncode != 0:
        pytest.skip(f"npm could not install typescript: {done.stderr.strip()[-200:]}")
    return [str(folder / "node_modules" / ".bin" / "tsc")]
