"""Live sessions whose voice goes by Opus tracks: a real Chromium with a fake microphone, the whole service."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from bench.bursts import SAMPLE_RATE, coded_bursts, loop_delays, write_wav
from bench.page import go_live, snapshot, tap, wait_until
from bench.service import Service
from tests.web_client.conftest import saved_take

pytestmark = pytest.mark.browser

CALM = "latency=interactive&converter=passthrough"
HOLD_MS = 250
FAST_ENOUGH_MS = 0.5  # of misalignment: a codec's phase


@pytest.fixture(scope="module")
def burster(launch: Callable[..., Browser], tmp_path_factory: pytest.TempPathFactory) -> Browser:
    microphone = tmp_path_factory.mktemp("microphone") / "bursts.wav"
    write_wav(microphone, coded_bursts(20, np.random.default_rng(5)))
    return launch(microphone)


def pin(page: Page) -> None:
    page.fill("#hold-ms", str(HOLD_MS))
    page.check("#hold-constant")
    wait_until(page, lambda shown: abs(shown["delay"]["mouth_to_ear_ms"] - HOLD_MS) < 2)
    page.wait_for_timeout(600)


def misalignment(page: Page, seconds: float) -> np.ndarray:
    """By how much what is played is later than the page says, in ms, burst by burst."""
    taken = tap(page, seconds)
    delays, lost = loop_delays(taken.captured, taken.played)
    assert delays.size >= 2 * seconds
    assert lost <= 1  # one may lie in what a busy machine lost
    return delays - taken.after["delay"]["loop_ms"]


def test_every_sample_keeps_its_place(
    service: Service, burster: Browser, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page(burster)
    go_live(page, f"{service.url}/?{CALM}&transport=track")
    pin(page)
    page.click("#record")
    assert np.median(np.abs(misalignment(page, 4))) <= FAST_ENOUGH_MS
    page.click("#record")
    page.wait_for_selector(".take")
    shown = snapshot(page)
    assert shown["transport"] == "track"
    assert shown["delay"]["parts_ms"]["coding"] > 2  # what the encoders hear ahead, at the least
    take = saved_take(page, tmp_path)
    dry, wet = take["dry"].astype(float), take["converted"].astype(float)
    lags = range(-240, 241)
    room = slice(SAMPLE_RATE, 3 * SAMPLE_RATE)
    match = [np.corrcoef(dry[room], np.roll(wet, lag)[room])[0, 1] for lag in lags]
    assert abs(lags[int(np.argmax(match))]) <= 24
    assert max(match) > 0.8


def test_a_session_goes_from_one_kind_of_line_to_the_next(
    service: Service, burster: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(burster)
    go_live(page, f"{service.url}/?{CALM}&transport=websocket")
    pin(page)
    before = snapshot(page)
    for transport in ("track", "data", "track", "websocket"):
        page.select_option("#transport", transport)
        wait_until(page, lambda shown, wanted=transport: shown["transport"] == wanted)
        assert np.median(np.abs(misalignment(page, 2))) <= FAST_ENOUGH_MS
    after = snapshot(page)
    assert after["session"] == before["session"]
    assert after["counters"]["reconnections"] == 0


def test_another_audio_context_finds_its_place_anew(
    service: Service, burster: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(burster)
    go_live(page, f"{service.url}/?converter=passthrough&transport=track")
    before = snapshot(page)
    assert service.process is not None
    for _ in range(15):  # until the page takes a gentler latency, and so another context
        if snapshot(page)["audio"]["latency_hint"] != 0:
            break
        service.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        service.process.send_signal(signal.SIGCONT)
        page.wait_for_timeout(300)
    wait_until(page, lambda shown: shown["audio"]["latency_hint"] == "interactive")
    page.wait_for_timeout(3000)
    pin(page)
    assert np.median(np.abs(misalignment(page, 3))) <= FAST_ENOUGH_MS
    after = snapshot(page)
    assert (after["session"], after["transport"]) == (before["session"], "track")


def test_a_stop_ends_the_peer_connection(
    service: Service, burster: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(burster)
    for _ in range(2):
        go_live(page, f"{service.url}/?{CALM}&transport=track")
        assert snapshot(page)["transport"] == "track"
        page.click("#start")
        wait_until(page, lambda shown: shown["state"] == "idle")
        with urllib.request.urlopen(f"{service.url}/health", timeout=5) as answer:
            assert json.load(answer)["live"]["sessions"] == 0


def test_a_track_that_carries_nothing_is_given_up(
    service: Service, burster: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(burster)
    page.add_init_script(
        "AudioNode.prototype.connect = new Proxy(AudioNode.prototype.connect, { apply(connect, node, args) {"
        "  return args[0] instanceof MediaStreamAudioDestinationNode ? args[0] : connect.apply(node, args);"
        "} });"
    )
    go_live(page, f"{service.url}/?{CALM}&transport=track")
    assert snapshot(page)["transport"] == "websocket"
    assert "WebSocket" in page.inner_text("#notice")
