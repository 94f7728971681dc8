"""From Start to Stop and what comes in between: nothing that was opened stays open, and failures are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from bench.page import go_live, snapshot, wait_until
from bench.service import Service
from tests.web_client.conftest import Launch, Line

pytestmark = pytest.mark.browser

# Counts what the page opens. With `gated`, the microphone is given (or refused) only when the test says so.
WATCH = """
  globalThis.opened = { contexts: [], tracks: [], gates: [], asked: 0, workers: 0, gated: false };
  const { AudioContext, Worker } = globalThis;
  globalThis.AudioContext = class extends AudioContext {
    constructor(options) { super(options); opened.contexts.push(this); }
  };
  globalThis.Worker = class extends Worker {
    constructor(url, options) { super(url, options); opened.workers++; }
  };
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    opened.asked++;
    if (opened.gated) await new Promise((open, refuse) => opened.gates.push({ open, refuse }));
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
def page(launch: Launch, open_page: Callable[..., Page]) -> Page:
    page = open_page(launch())
    page.add_init_script(WATCH)
    return page


def until(page: Page, expression: str, expected: Any = True) -> None:
    """Wait until an expression has a value. Asks from here: a content policy forbids evaluation in the page."""
    for _ in range(200):
        if page.evaluate(expression) == expected:
            return
        page.wait_for_timeout(50)
    assert page.evaluate(expression) == expected


def left(page: Page, contexts: int, tracks: int) -> None:
    """Wait until so many audio contexts and microphone tracks are open."""
    until(page, LEFT, [contexts, tracks])


@pytest.mark.parametrize("answer", ["open()", "refuse(new DOMException('no', 'NotAllowedError'))"])
def test_an_answer_about_the_microphone_after_stop_changes_nothing(
    page: Page, service: Service, answer: str
) -> None:
    page.goto(service.url)
    page.evaluate("opened.gated = true")
    page.click("#start:enabled")
    until(page, "opened.gates.length", 1)
    page.click("#start")
    page.evaluate(f"opened.gates[0].{answer}")
    if answer == "open()":
        until(page, "opened.tracks.length", 1)
    left(page, 0, 0)
    assert snapshot(page)["state"] == "idle"
    assert page.is_hidden("#failure")


def test_the_answer_to_an_older_start_is_not_taken_for_the_newer(page: Page, service: Service) -> None:
    page.goto(service.url)
    page.evaluate("opened.gated = true")
    page.click("#start:enabled")
    until(page, "opened.gates.length", 1)
    page.click("#start")
    page.click("#start")
    until(page, "opened.gates.length", 2)
    page.evaluate("opened.gates[0].refuse(new DOMException('no', 'NotAllowedError'))")
    page.evaluate("opened.gates[1].open()")
    wait_until(page, lambda shown: shown["state"] == "live")
    left(page, 1, 1)


@pytest.mark.parametrize(("clicks", "state", "open_now"), [(2, "idle", 0), (3, "live", 1)])
def test_clicks_at_once_leave_what_the_last_one_says(
    page: Page, service: Service, clicks: int, state: str, open_now: int
) -> None:
    page.goto(service.url)
    page.wait_for_selector("#start:enabled")
    page.evaluate(f"for (let i = 0; i < {clicks}; i++) document.getElementById('start').click()")
    wait_until(page, lambda shown: shown["state"] == state)
    until(page, "opened.contexts.length", (clicks + 1) // 2)
    left(page, open_now, open_now)
    assert page.evaluate("opened.workers") == open_now


def test_start_stop_start_leaves_nothing_behind(page: Page, service: Service) -> None:
    go_live(page, service.url)
    left(page, 1, 1)
    page.click("#start")
    left(page, 0, 0)
    page.click("#start")
    wait_until(page, lambda shown: shown["state"] == "live")
    left(page, 1, 1)


# A session without a page around it, whose worker only notes what it is told.
RIG = """
  globalThis.Worker = class {
    constructor(url, options) { void options.type; globalThis.told = []; }
    postMessage(message) { told.push(message.type); }
    terminate() {}
  };
  globalThis.rig = async () => {
    const { Session } = await import('/client/js/session.js');
    globalThis.notices = [];
    globalThis.states = [];
    globalThis.session = new Session({
      onState: (state, failure) => states.push([state, failure?.code ?? null]),
      onNotice: (words) => notices.push(words),
      onReport() {}, onPitch() {}, onTake() {}, onRecording() {},
    }, { userId: 'me', converter: 'passthrough', hint: 0 });
    await session.start('microphone');
  };
  globalThis.starve = () => {
    session.state = 'live';
    const { graph } = session.sound;
    for (const underruns of [0, 4]) graph.onReport({ underruns, missing: 0, late: 1, clipped: 9, delay: 0 });
  };
"""


@pytest.fixture
def rig(launch: Launch, open_page: Callable[..., Page], files_url: str) -> Page:
    """A page with a running session and no server."""
    page = open_page(launch())
    page.add_init_script(WATCH + RIG)
    page.goto(files_url)
    page.evaluate("rig()")
    left(page, 1, 1)
    return page


def test_a_replaced_context_keeps_the_microphone_and_what_was_counted(rig: Page) -> None:
    rig.evaluate("starve()")
    until(rig, "told.includes('attach')")
    until(rig, "opened.contexts.length", 2)
    left(rig, 1, 1)
    until(rig, "session.sound.graph.hint", "interactive")
    assert rig.evaluate("opened.asked") == 1
    rig.wait_for_timeout(300)  # the new context reports, from zero
    assert rig.evaluate("session.ledger.report.captured") > 0
    assert rig.evaluate("[session.ledger.report.late, session.ledger.report.underruns]") == [1, 4]
    assert rig.evaluate("session.ledger.report.clipped") >= 9  # the fake microphone beeps at full scale


@pytest.mark.parametrize("pause_ms", [0, 1, 40])
def test_stop_while_the_context_is_replaced(rig: Page, pause_ms: int) -> None:
    rig.evaluate(
        "(ms) => { starve(); if (ms) return new Promise((go) => setTimeout(go, ms)).then(() => session.stop());"
        " session.stop(); }",
        pause_ms,
    )
    left(rig, 0, 0)
    rig.wait_for_timeout(300)
    left(rig, 0, 0)
    assert rig.evaluate("opened.asked") == 1
    assert rig.evaluate("states.at(-1)") == ["idle", None]
    assert rig.evaluate("told.at(-1)") == "close"


def test_another_microphone_while_the_context_is_replaced(rig: Page) -> None:
    rig.evaluate("starve(); void session.setMicrophone('')")
    until(rig, "told.includes('attach')")
    until(rig, "opened.asked", 2)
    left(rig, 1, 1)
    until(rig, "session.sound.graph.source?.mediaStream === session.sound.source.stream")


def test_the_same_trouble_stays_shown_until_it_is_over(rig: Page) -> None:
    shown = rig.evaluate(
        """() => {
          states.length = 0;
          for (const state of ['waiting', 'connecting', 'greeting', 'live']) {
            session.connectionChanged({ state, attempt: state === 'live' ? 0 : 1, retryMs: 300 });
          }
          return states;
        }"""
    )
    lost = "connection_lost"
    assert shown == [["waiting", lost], ["connecting", lost], ["greeting", lost], ["live", None]]


def test_a_server_that_is_gone_is_told_and_leaves_nothing(
    line: Line, launch: Launch, open_page: Callable[..., Page]
) -> None:
    page = open_page(launch(), strict=False)  # a browser reports refused connections in the console itself
    page.add_init_script(WATCH)
    page.goto(line.url)
    page.wait_for_selector("#start:enabled")
    line.cut()
    for button in ("#start", "#retry", "#start"):
        made = page.evaluate("opened.contexts.length")
        page.click(button)
        until(page, "opened.contexts.length", made + 1)
        page.wait_for_selector("#failure[data-code=unreachable]")
        assert "does not answer" in page.inner_text("#failure")
        left(page, 0, 0)
    line.mend()
    page.click("#retry")
    wait_until(page, lambda shown: shown["state"] == "live")
    assert page.is_hidden("#failure")


def test_a_worker_that_does_not_load_is_the_servers_silence(
    service: Service, launch: Launch, open_page: Callable[..., Page]
) -> None:
    page = open_page(launch(), strict=False)  # a browser reports what did not load in the console itself
    page.add_init_script(WATCH)
    page.route("**/connection.js", lambda route: route.abort())
    page.route("**/transport-worker.js", lambda route: route.abort())
    page.goto(service.url)
    page.click("#start:enabled")
    page.wait_for_selector("#failure[data-code=unreachable]")
    assert page.is_visible("#retry")
    left(page, 0, 0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("AudioContext.prototype.resume = () => new Promise(() => {});", "asleep"),
        (
            "globalThis.AudioContext = function () { throw new DOMException('x', 'NotSupportedError'); };",
            "sample_rate",
        ),
        ("delete globalThis.AudioWorkletNode;", "unsupported"),
        # a browser without module workers does not ask for the type
        ("const Old = Worker; globalThis.Worker = function (url) { return new Old(url); };", "unsupported"),
    ],
)
def test_browsers_that_cannot_are_told_why(
    service: Service, launch: Launch, open_page: Callable[..., Page], change: str, code: str
) -> None:
    page = open_page(launch(), strict=False)
    page.add_init_script(WATCH + change)
    page.goto(service.url)
    page.click("#start:enabled")
    page.wait_for_selector(f"#failure[data-code={code}]")
    assert page.is_hidden("#retry")
    left(page, 0, 0)


def test_a_microphone_without_a_known_latency(page: Page, service: Service) -> None:
    page.add_init_script(
        """const settings = MediaStreamTrack.prototype.getSettings;
        MediaStreamTrack.prototype.getSettings = function () {
          const { latency: _, ...rest } = settings.call(this);
          return rest;
        };"""
    )
    go_live(page, service.url)
    assert snapshot(page)["delay"]["parts_ms"]["microphone"] is None
    page.wait_for_selector("#delay-at-least:not([hidden])")
    assert page.inner_text("#delay-parts dd >> nth=0") == "unknown"
    assert float(page.inner_text("#delay-total")) > 0
    page.click("#start")
    page.wait_for_selector("#delay-at-least", state="hidden")


def test_a_browser_whose_output_cannot_be_asked(
    launch: Launch, open_page: Callable[..., Page], service: Service
) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
    page = open_page(launch(), user_agent=agent)
    page.add_init_script(
        """for (const name of ['outputLatency', 'getOutputTimestamp']) {
          const get = () => { throw new Error(`${name} was asked for`); };
          Object.defineProperty(AudioContext.prototype, name, { get });
        }"""
    )
    go_live(page, service.url)
    assert snapshot(page)["delay"]["parts_ms"]["output"] is None
    page.wait_for_selector("#delay-at-least:not([hidden])")
    assert page.inner_text("#delay-parts dd >> nth=-1") == "unknown"
    page.click("#start")
    page.goto(f"{service.url}/karaoke")
    assert page.inner_text("#measure-note").startswith("This browser does not say")


def test_a_held_delay_is_kept_within_bounds_and_shown(page: Page, service: Service) -> None:
    page.goto(service.url)
    for typed, kept in (("5000", "1000"), ("0", "10"), ("", "120"), ("180", "180")):
        page.fill("#hold-ms", typed)
        page.dispatch_event("#hold-ms", "change")
        assert page.input_value("#hold-ms") == kept
    go_live(page, service.url)
    shown = wait_until(
        page, lambda s: s["delay"]["mode"] == "constant" and abs(s["delay"]["mouth_to_ear_ms"] - 180) < 4
    )
    assert shown["state"] == "live"
