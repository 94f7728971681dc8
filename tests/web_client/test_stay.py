"""From Start to Stop and what comes in between: nothing that was opened stays open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from bench.browser import go_live, snapshot, wait_until
from tests.web_client.conftest import Launch, Line

# counts what the page opens; the microphone is given only when the test says so
WATCH = """
  globalThis.opened = { contexts: [], tracks: [], gates: [] };
  const Context = globalThis.AudioContext;
  globalThis.AudioContext = class extends Context {
    constructor(options) { super(options); opened.contexts.push(this); }
  };
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (globalThis.holdMicrophone) await new Promise((resolve) => opened.gates.push(resolve));
    const stream = await ask(wanted);
    opened.tracks.push(...stream.getTracks());
    return stream;
  };
"""
LEFT = """() => [
  opened.contexts.filter((context) => context.state !== 'closed').length,
  opened.tracks.filter((track) => track.readyState === 'live').length,
]"""


@pytest.fixture
def page(launch: Launch, open_page: Callable[..., Page]) -> Iterator[Page]:
    page = open_page(launch())
    page.add_init_script(WATCH)
    yield page


def left(page: Page, contexts: int, tracks: int) -> None:
    """Wait until so many audio contexts and microphone tracks are open."""
    for _ in range(100):
        if page.evaluate(LEFT) == [contexts, tracks]:
            return
        page.wait_for_timeout(50)
    assert page.evaluate(LEFT) == [contexts, tracks]


def test_a_microphone_that_comes_after_stop_is_let_go(page: Page, service: Any) -> None:
    page.goto(service.url)
    page.evaluate("globalThis.holdMicrophone = true")
    page.click("#start:enabled")
    wait_until(page, lambda shown: shown["state"] == "opening")
    for _ in range(100):
        if page.evaluate("opened.gates.length"):
            break
        page.wait_for_timeout(50)
    page.click("#start")
    page.evaluate("opened.gates.forEach((open) => open())")
    for _ in range(100):
        if page.evaluate("opened.tracks.length"):
            break
        page.wait_for_timeout(50)
    left(page, 0, 0)
    assert snapshot(page)["state"] == "idle"


def test_start_stop_start_at_once_leaves_one_of_each(page: Page, service: Any) -> None:
    page.goto(service.url)
    page.wait_for_selector("#start:enabled")
    page.evaluate("const b = document.getElementById('start'); b.click(); b.click(); b.click();")
    wait_until(page, lambda shown: shown["state"] == "live")
    left(page, 1, 1)
    page.click("#start")
    left(page, 0, 0)
    go_live(page, service.url)
    left(page, 1, 1)


def test_a_server_that_is_gone_is_told_and_leaves_nothing(
    line: Line, launch: Launch, open_page: Callable[..., Page]
) -> None:
    page = open_page(launch(), strict=False)  # a browser reports refused connections in the console itself
    page.add_init_script(WATCH)
    page.goto(line.url)
    page.wait_for_selector("#start:enabled")
    line.cut()
    for _ in range(2):
        page.click("#start")
        page.wait_for_selector("#failure[data-code=unreachable]")
        assert "does not answer" in page.inner_text("#failure")
        left(page, 0, 0)
    line.mend()
    page.click("#start")
    wait_until(page, lambda shown: shown["state"] == "live")
    assert page.is_hidden("#failure")


def test_a_failure_on_a_phone_comes_into_view(
    launch: Launch, open_page: Callable[..., Page], service: Any
) -> None:
    browser: Browser = launch(fake_permission=False)
    page = open_page(browser, strict=False)
    page.set_viewport_size({"width": 360, "height": 740})
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));"
    )
    page.goto(service.url)
    page.wait_for_selector("#start:enabled")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.click("#start")
    page.wait_for_selector("#failure[data-code=NotAllowedError]")
    page.wait_for_timeout(300)
    box = page.locator("#failure").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 740


def test_a_held_delay_is_kept_within_bounds_and_shown(page: Page, service: Any) -> None:
    page.goto(service.url)
    page.fill("#hold-ms", "5000")
    page.dispatch_event("#hold-ms", "change")
    assert page.input_value("#hold-ms") == "1000"
    page.fill("#hold-ms", "180")
    page.dispatch_event("#hold-ms", "change")
    go_live(page, service.url)
    shown = wait_until(
        page, lambda s: s["delay"]["mode"] == "constant" and abs(s["delay"]["mouth_to_ear_ms"] - 180) < 4
    )
    assert shown["state"] == "live"


def test_the_ledger_adds_up_over_contexts_and_sessions(modules: Page) -> None:
    sums = modules.evaluate(
        """async () => {
          const { Ledger } = await import('/client/js/ledger.js');
          const ledger = new Ledger();
          const report = (n) => ({ underruns: n, missing: n, late: n, clipped: n });
          ledger.serverStarted();
          ledger.reported(report(3));
          ledger.stats = { dropped: { overflow: 22 }, gaps: 480 };
          ledger.contextReplaced(2);
          ledger.reported(report(1));
          ledger.serverStarted();
          const between = [ledger.dropped(), ledger.gaps()];
          ledger.stats = { dropped: { overflow: 1, late: 4 }, gaps: 20 };
          return [between, ledger.dropped(), ledger.gaps(), ledger.report.clipped, ledger.deviceUnderruns(5)];
        }"""
    )
    assert sums == [[{"overflow": 22}, 480], {"overflow": 23, "late": 4}, 500, 4, 7]
