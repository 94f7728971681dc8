"""The page against the whole service, in a real Chromium with a fake microphone."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from bench.bursts import SAMPLE_RATE, coded_bursts, loop_delays, pitch_of, write_wav
from bench.page import go_live, snapshot, tap, wait_until
from bench.service import Service
from tests.web_client.conftest import saved_take

pytestmark = pytest.mark.browser

# The gentler latency and a long constant delay: these tests are about what is played, on machines that may be
# busy; how fast it is, bench.browser tells.
CALM = "latency=interactive&transport=websocket"
HOLD_MS = 250


def sung_tone(f0_hz: float, seconds: float) -> np.ndarray:
    """A steady sung vowel: harmonics under two formants, a touch of vibrato-free jitterless tone."""
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.zeros(t.size)
    for k in range(1, int(7000 / f0_hz)):
        hz = k * f0_hz
        gain = 1 / k * (0.2 + np.exp(-(((hz - 650) / 250) ** 2)) + 0.6 * np.exp(-(((hz - 1150) / 300) ** 2)))
        tone += gain * np.sin(2 * np.pi * hz * t + k * k)
    return 0.4 * tone / np.abs(tone).max()


@pytest.fixture(scope="module")
def recordings_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("microphone")
    # A whole number of periods in 2 s, so that the loop of the fake microphone has no seam.
    write_wav(folder / "tone.wav", sung_tone(220, 2))
    write_wav(folder / "bursts.wav", coded_bursts(20, np.random.default_rng(5)))
    return folder


@pytest.fixture(scope="module")
def singer(launch: Callable[..., Browser], recordings_folder: Path) -> Browser:
    return launch(recordings_folder / "tone.wav")


@pytest.fixture(scope="module")
def burster(launch: Callable[..., Browser], recordings_folder: Path) -> Browser:
    return launch(recordings_folder / "bursts.wav")


def pin(page: Page) -> None:
    page.fill("#hold-ms", str(HOLD_MS))
    page.check("#hold-constant")
    wait_until(page, lambda shown: abs(shown["delay"]["mouth_to_ear_ms"] - HOLD_MS) < 2)
    page.wait_for_timeout(600)


def slide(page: Page, name: str, value: float) -> None:
    page.fill(f"#{name}", str(value))
    page.wait_for_timeout(100)


def wait_state(page: Page, state: str, timeout_s: float = 20) -> None:
    wait_until(page, lambda shown: shown["state"] == state, timeout_s)


def test_what_comes_out_is_transposed(
    service: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer)
    go_live(page, f"{service.url}/?{CALM}")
    page.uncheck("#auto-pitch")
    pin(page)
    for semitones in (7, 12):
        slide(page, "pitch", semitones)
        page.wait_for_timeout(600)
        taken = tap(page, 1)
        sung = pitch_of(taken.captured, SAMPLE_RATE)
        heard = pitch_of(taken.played, SAMPLE_RATE)
        assert sung == pytest.approx(220, rel=0.003)
        cents = 1200 * np.log2(heard / sung)
        assert cents == pytest.approx(100 * semitones, abs=20)


@pytest.mark.parametrize(
    ("converter", "mixes", "transport"),
    [("passthrough", (100,), "websocket"), ("native", (0, 100), "websocket"), ("passthrough", (100,), "data")],
)
def test_it_comes_out_at_the_delay_that_the_page_shows(
    service: Service,
    burster: Browser,
    open_page: Callable[..., Page],
    converter: str,
    mixes: tuple[int, ...],
    transport: str,
) -> None:
    page = open_page(burster)
    go_live(page, f"{service.url}/?latency=interactive&converter={converter}&transport={transport}")
    pin(page)
    for mix in mixes:
        slide(page, "mix", mix)
        page.wait_for_timeout(200)
        taken = tap(page, 4)
        delays, lost = loop_delays(taken.captured, taken.played)
        assert delays.size >= 6
        assert lost <= delays.size / 4
        shown = taken.after["delay"]
        assert taken.before["delay"]["loop_samples"] == shown["loop_samples"]
        assert np.median(delays) == pytest.approx(shown["loop_ms"], abs=3)
        assert sum(shown["parts_ms"].values()) == pytest.approx(shown["mouth_to_ear_ms"], abs=0.01)
        total = float(page.inner_text("#delay-total"))
        assert total == pytest.approx(shown["mouth_to_ear_ms"], abs=1)


@pytest.mark.parametrize("transport", ["websocket", "data"])
def test_a_take_is_aligned_to_the_sample(
    service: Service, singer: Browser, open_page: Callable[..., Page], tmp_path: Path, transport: str
) -> None:
    page = open_page(singer)
    go_live(page, f"{service.url}/?latency=interactive&converter=passthrough&transport={transport}")
    page.click("#record")
    page.wait_for_timeout(1500)
    page.click("#record")
    page.wait_for_selector(".take")
    kinds = saved_take(page, tmp_path)
    assert kinds["dry"].size == kinds["converted"].size > SAMPLE_RATE
    assert np.abs(kinds["dry"]).max() > 3000
    same = kinds["dry"].astype(int) - kinds["converted"]
    assert np.mean(np.abs(same) > 1) < 0.05  # a frame may have been dropped on a busy machine


def test_the_phrase_takes_the_same_path(
    service: Service, launch: Callable[..., Browser], open_page: Callable[..., Page]
) -> None:
    page = open_page(launch(fake_device=False))
    page.goto(f"{service.url}/?{CALM}")
    page.wait_for_selector("#voices input")
    page.click("#phrase")
    wait_state(page, "live")
    page.wait_for_timeout(1500)
    taken = tap(page, 1)
    assert np.abs(taken.captured).max() > 0.05
    assert np.abs(taken.played).max() > 0.02
    page.click("#start")
    wait_state(page, "idle")


def test_no_microphone(
    service: Service, launch: Callable[..., Browser], open_page: Callable[..., Page]
) -> None:
    page = open_page(launch(fake_device=False))
    page.goto(service.url)
    page.click("#start:enabled")
    page.wait_for_selector("#failure[data-code=NotFoundError]")
    assert "No microphone found" in page.inner_text("#failure")
    assert page.inner_text("#start") == "Start"


def test_no_permission(
    service: Service, launch: Callable[..., Browser], open_page: Callable[..., Page]
) -> None:
    page = open_page(launch(fake_permission=False))
    page.goto(service.url)
    page.click("#start:enabled")
    page.wait_for_selector("#failure[data-code=NotAllowedError]")
    assert "not allowed" in page.inner_text("#failure")


def test_an_insecure_address_is_explained(
    service: Service, launch: Callable[..., Browser], open_page: Callable[..., Page]
) -> None:
    # A name that is not localhost but leads here: a browser trusts it no more than the open internet.
    browser = launch(more=("--host-resolver-rules=MAP autovoice.test 127.0.0.1",))
    page = open_page(browser, strict=False)  # a browser complains of opener policies on such addresses
    page.goto(f"http://autovoice.test:{service.port}/")
    page.wait_for_selector("#voices input")
    page.wait_for_selector("#failure[data-code=insecure]")
    assert "https://" in page.inner_text("#failure")


def test_a_full_server_lets_the_next_one_in(
    service: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page_url = f"{service.url}/?{CALM}&converter=passthrough"  # full by its places alone, on any machine
    pages = [open_page(singer) for _ in range(3)]
    for page in pages[:2]:
        go_live(page, page_url)
    third = pages[2]
    third.goto(page_url)
    third.click("#start:enabled")
    third.wait_for_selector("#failure[data-code=server_full]")
    assert "full" in third.inner_text("#failure")
    pages[0].click("#start")
    wait_state(pages[0], "idle")
    wait_until(pages[1], lambda shown: shown["sessions"] == 1)
    third.click("#retry")
    wait_state(third, "live", timeout_s=60)  # a machine that is busy for a moment says "full" once more
    assert third.is_hidden("#failure")


def test_a_stop_ends_the_peer_connection(
    service: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer)
    for _ in range(2):
        go_live(page, f"{service.url}/?latency=interactive&transport=data")
        assert snapshot(page)["transport"] == "data"
        page.click("#start")
        wait_state(page, "idle")
        with urllib.request.urlopen(f"{service.url}/health", timeout=5) as answer:
            sessions = json.load(answer)["live"]["sessions"]
        assert sessions == 0


def test_where_webrtc_does_not_get_through_a_websocket_does(
    service: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer, strict=False)
    page.route("**/api/v1/live/offer", lambda route: route.abort())
    go_live(page, f"{service.url}/?latency=interactive&transport=data")
    assert snapshot(page)["transport"] == "websocket"
    assert "WebSocket" in page.inner_text("#notice")


def test_the_choice_of_transport_is_remembered(
    service: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer)
    page.goto(service.url)
    assert page.input_value("#transport") == "auto"
    page.select_option("#transport", "data")
    page.reload()
    assert page.input_value("#transport") == "data"


@pytest.mark.parametrize(("round_trip_ms", "carrier"), [(0, "websocket"), (40, "data")])
def test_the_round_trip_decides(
    service: Service, singer: Browser, open_page: Callable[..., Page], round_trip_ms: int, carrier: str
) -> None:
    page = open_page(singer)
    page.goto(service.url)
    chosen = page.evaluate(
        """async (ms) => {
          let now = 0;
          performance.now = () => now;
          globalThis.fetch = async () => { now += ms; return new Response('{}'); };
          const { chooseCarrier } = await import('/client/js/carrier.js');
          return chooseCarrier('auto');
        }""",
        round_trip_ms,
    )
    assert chosen == carrier


def test_the_transport_changes_while_singing(
    service: Service, singer: Browser, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page(singer)
    go_live(page, f"{service.url}/?{CALM}&converter=passthrough")
    before = snapshot(page)
    page.click("#record")
    for transport in ("data", "websocket", "data"):
        page.wait_for_timeout(500)
        page.select_option("#transport", transport)
        wait_until(page, lambda shown, wanted=transport: shown["transport"] == wanted)
    page.wait_for_timeout(500)
    page.click("#record")
    page.wait_for_selector(".take")
    after = snapshot(page)
    assert after["session"] == before["session"]
    assert after["counters"]["reconnections"] == 0
    take = saved_take(page, tmp_path)
    same = np.abs(take["dry"].astype(int) - take["converted"]) <= 1
    # Data channels send nothing twice, so a busy machine loses some; no move loses the place or the session.
    assert np.mean(same) > 0.8
    assert all(np.mean(part) > 0.5 for part in np.array_split(same, 8))


def test_underruns_at_the_shortest_latency_lead_to_the_gentler_one(
    line: Any, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer)
    go_live(page, f"{line.url}/?converter=passthrough")
    before = snapshot(page)
    for _ in range(12):
        if snapshot(page)["audio"]["latency_hint"] != 0:
            break
        line.stall(0.3)
        page.wait_for_timeout(300)
    after = wait_until(page, lambda shown: shown["audio"]["latency_hint"] == "interactive")
    assert after["session"] == before["session"]
    assert "drops out" in page.inner_text("#notice")
    page.wait_for_timeout(1000)
    taken = tap(page, 0.5)
    assert np.abs(taken.played).max() > 0.1
    assert taken.after["audio"]["frame"] == 480
    assert taken.after["counters"]["underruns"] >= 4
    assert taken.after["session"] == before["session"]


def test_a_voice_that_is_too_short_is_refused_in_words(
    service: Service, singer: Browser, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    write_wav(tmp_path / "short.wav", sung_tone(220, 2))
    page = open_page(singer, strict=False)  # a browser reports the answer 400 in the console itself
    page.goto(service.url)
    page.wait_for_selector("#voices input")
    page.click("details.make summary")
    page.fill("#make-name", "Too short")
    page.set_input_files("#make-audio", tmp_path / "short.wav")
    page.check("#make-consent")
    page.click("#make-submit")
    page.wait_for_selector("#make-result.bad")
    assert len(page.inner_text("#make-result")) > 20
    assert page.is_enabled("#make-submit")


@pytest.mark.parametrize(("width", "height"), [(360, 780), (768, 1024), (1280, 800)])
def test_nothing_is_cut_off(
    service: Service, singer: Browser, open_page: Callable[..., Page], width: int, height: int
) -> None:
    page = open_page(singer, viewport={"width": width, "height": height})
    page.goto(service.url)
    page.wait_for_selector("#voices input")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, h2, label')].filter((element) => {
          const box = element.getBoundingClientRect();
          return box.width > 0 && (box.left < 0 || box.right > innerWidth + 0.5);
        }).map((element) => element.outerHTML)"""
    )
    assert outside == []


def test_it_works_by_keyboard(service: Service, singer: Browser, open_page: Callable[..., Page]) -> None:
    page = open_page(singer)
    page.goto(f"{service.url}/?{CALM}")
    page.wait_for_selector("#start:enabled")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the link that skips to Start
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.id") != "start":
        page.focus("#start")
    page.keyboard.press("Enter")
    wait_state(page, "live")
    page.focus("#pitch")
    page.keyboard.press("ArrowRight")
    wait_until(page, lambda shown: shown["controls_in_force"].get("pitch_semitones") == 1)
    page.focus("#voices input:checked")
    first = snapshot(page)["voice"]
    page.keyboard.press("ArrowDown")
    wait_until(page, lambda shown: shown["voice"] != first)
    page.focus("#start")
    page.keyboard.press("Space")
    wait_state(page, "idle")
