"""Blending two voices in the page, against the whole service, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from bench.bursts import SAMPLE_RATE, write_wav
from bench.page import go_live, snapshot, tap, wait_until
from bench.service import Service
from pipeline.synthetic import sing, vibrato
from tests.web_client.conftest import Launch

pytestmark = pytest.mark.browser

CALM = "latency=interactive&transport=websocket"  # these tests are about what is played, not how fast it is


@pytest.fixture(scope="module")
def singer(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """A browser whose microphone hears a held note of 220 Hz, in a loop without a seam."""
    path = tmp_path_factory.mktemp("microphone") / "note.wav"
    note = sing(vibrato(220, 2, SAMPLE_RATE, depth_cents=0), SAMPLE_RATE, np.random.default_rng(1))
    write_wav(path, note.astype(float))
    return launch(path)


def wait_blend(page: Page, voice: str | None, share: float = 0.5) -> dict[str, Any]:
    expected = None if voice is None else {"voice": voice, "share": share}
    return wait_until(page, lambda shown: shown["blend_in_force"] == expected)


def heard_spectrum(page: Page) -> np.ndarray:
    """Levels of the first 40 harmonics of what is played, in dB, less their mean."""
    page.wait_for_timeout(600)
    played = tap(page, 1).played
    power = np.abs(np.fft.rfft(played * np.hanning(played.size))) ** 2
    hz = np.fft.rfftfreq(played.size, 1 / SAMPLE_RATE)
    level = [10 * np.log10(power[np.abs(hz - 220 * k) < 30].sum() + 1e-9) for k in range(1, 41)]
    return np.array(level) - np.mean(level)


def distance(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - two) ** 2)))


def test_what_is_heard_lies_between_the_voices(
    service: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer)
    go_live(page, f"{service.url}/?{CALM}")
    page.check("#voice-otto", force=True)
    page.uncheck("#auto-pitch")
    wait_until(page, lambda shown: shown["controls_in_force"].get("auto_pitch") is False)
    page.wait_for_timeout(2000)  # the converter has got to know the singer
    first = heard_spectrum(page)
    page.select_option("#blend-voice", "aria")
    wait_blend(page, "aria")
    half = heard_spectrum(page)
    page.fill("#blend-share", "100")
    wait_blend(page, "aria", 1)
    all_of_it = heard_spectrum(page)
    page.select_option("#blend-voice", "")
    wait_blend(page, None)
    page.check("#voice-aria", force=True)
    wait_until(page, lambda shown: shown["voice"] == "aria")
    second = heard_spectrum(page)
    apart = distance(first, second)
    assert apart > 2
    assert distance(all_of_it, second) < 0.3 * apart
    assert distance(half, first) < 0.8 * apart
    assert distance(half, second) < 0.8 * apart


def test_it_is_shown_and_moved_by_keyboard(
    service: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer)
    go_live(page, f"{service.url}/?{CALM}")
    page.check("#voice-otto", force=True)
    page.wait_for_selector("#blend-voice option[value=aria]", state="attached")
    assert page.is_hidden("#blend-share")
    offered = page.locator("#blend-voice option").evaluate_all("all => all.map((option) => option.value)")
    listed = page.locator("#voices input").evaluate_all("all => all.map((input) => input.value)")
    assert offered[0] == ""
    assert sorted(offered[1:]) == sorted(set(listed) - {"otto"})
    page.focus("#blend-voice")
    page.keyboard.type("Aria")
    wait_blend(page, "aria")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "blend-share"
    page.keyboard.press("ArrowRight")
    wait_blend(page, "aria", 0.51)
    assert (
        page.get_by_role("slider", name="Share of Aria").get_attribute("aria-valuetext")
        == "51 % Aria, 49 % Otto"
    )
    expect(page.locator("#heard-name")).to_have_text("You hear Otto + Aria")
    page.keyboard.press("Home")
    wait_blend(page, "aria", 0)
    page.dblclick("#blend-share")
    wait_blend(page, "aria", 0.5)


def test_singing_with_one_of_the_two_alone_ends_it(
    service: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer)
    go_live(page, f"{service.url}/?{CALM}")
    page.check("#voice-otto", force=True)
    page.select_option("#blend-voice", "aria")
    wait_blend(page, "aria")
    page.check("#voice-bruno", force=True)
    wait_until(page, lambda shown: shown["voice"] == "bruno")
    expect(page.locator("#heard-name")).to_have_text("You hear Bruno + Aria")
    wait_blend(page, "aria")
    page.check("#voice-aria", force=True)
    wait_blend(page, None)
    assert page.is_hidden("#blend-share")
    assert page.input_value("#blend-voice") == ""
    expect(page.locator("#heard-name")).to_have_text("You hear Aria")


def test_it_comes_with_the_start_and_after_a_lost_connection_and_not_after_a_reload(
    line: Any, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer, strict=False)  # a browser reports refused connections in the console itself
    page.goto(f"{line.url}/?{CALM}")
    page.wait_for_selector("#voice-otto", state="attached")
    page.check("#voice-otto", force=True)
    page.select_option("#blend-voice", "aria")
    page.fill("#blend-share", "30")
    page.click("#start:enabled")
    before = wait_blend(page, "aria", 0.3)
    line.cut()
    wait_until(page, lambda shown: shown["state"] == "waiting")
    page.fill("#blend-share", "80")
    line.mend()
    wait_until(page, lambda shown: shown["counters"]["reconnections"] == 1)
    after = wait_blend(page, "aria", 0.8)
    assert after["session"] == before["session"]
    page.reload()
    page.wait_for_selector("#voice-otto:checked", state="attached")
    assert page.input_value("#blend-voice") == ""
    assert page.is_hidden("#blend-share")
    assert snapshot(page)["blend"] is None


def test_it_ends_when_its_voice_is_deleted(
    service: Service, launch: Launch, open_page: Callable[..., Page]
) -> None:
    page = open_page(launch())
    names = ["Ann", "Ben"]

    def voices(route: Any) -> None:
        owner = route.request.url.partition("user_id=")[2].partition("&")[0]
        if route.request.method == "DELETE":
            names.remove("Ben")
        route.fulfill(json=[{"profile_id": n, "profile_name": n, "user_id": owner} for n in names])

    page.route("**/voice/profiles**", voices)
    page.goto(service.url)
    page.select_option("#blend-voice", "Ben")
    wait_until(page, lambda shown: shown["blend"] == {"voice": "Ben", "share": 0.5})
    for words in ("Delete the voice Ben", "Really delete the voice Ben?"):
        page.get_by_role("button", name=words).click()
    wait_until(page, lambda shown: shown["blend"] is None)
    assert page.is_hidden("#blend-share")
    expect(page.locator("#heard-name")).to_have_text("You hear Ann")


@pytest.mark.parametrize(("width", "height"), [(320, 640), (390, 844), (1280, 800)])
def test_it_fits(
    service: Service, launch: Launch, open_page: Callable[..., Page], width: int, height: int
) -> None:
    page = open_page(launch(), viewport={"width": width, "height": height})

    def voices(route: Any) -> None:
        long = "Wolfeschlegelsteinhausenbergerdorff the very first of that name, live"
        route.fulfill(json=[{"profile_id": i, "profile_name": f"{i} {long}"} for i in ("one", "two")])

    page.route("**/voice/profiles*", voices)
    page.goto(service.url)
    page.select_option("#blend-voice", "two")
    page.wait_for_selector("#blend-share")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    card = page.locator(".voices").bounding_box()
    assert card is not None
    for part in ("#blend-voice", "#blend-label", "#blend-value", "#blend-share", "#blend-row .ends"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert card["x"] < box["x"]
        assert box["x"] + box["width"] < card["x"] + card["width"]
    boxes = [page.locator(part).bounding_box() for part in ("#blend-first", "#blend-second")]
    assert boxes[0] and boxes[1]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    assert page.locator("#blend-voice").evaluate("(element) => element.offsetHeight") >= 40


@pytest.fixture
def with_a_ghost(singer: Browser, open_page: Callable[..., Page]) -> Page:
    """A page to which the server once listed a voice that is gone by now."""
    page = open_page(singer, strict=False)

    def list_once(route: Any) -> None:
        answer = route.fetch()
        listed = answer.json()
        listed["profiles"].append(listed["profiles"][0] | {"profile_id": "ghost", "profile_name": "Ghost"})
        route.fulfill(response=answer, json=listed)

    page.route("**/api/v1/voice/profiles*", list_once, times=1)
    return page


def test_a_second_voice_that_is_gone_is_no_dead_end(service: Service, with_a_ghost: Page) -> None:
    page = with_a_ghost
    page.goto(f"{service.url}/?{CALM}")
    page.check("#voice-otto", force=True)
    page.select_option("#blend-voice", "ghost")
    page.click("#start:enabled")
    page.wait_for_selector("#failure[data-code=voice_not_found]")
    page.wait_for_selector("#blend-row", state="hidden")  # the list was loaded again
    expect(page.locator("#heard-name")).to_have_text("You hear Otto")
    page.click("#start")
    wait_until(page, lambda shown: shown["state"] == "live")


def test_a_blend_that_is_refused_while_singing_is_not_claimed(service: Service, with_a_ghost: Page) -> None:
    page = with_a_ghost
    go_live(page, f"{service.url}/?{CALM}")
    page.check("#voice-otto", force=True)
    page.select_option("#blend-voice", "ghost")
    wait_until(page, lambda shown: shown["blend"] is None)
    expect(page.locator("#heard-name")).to_have_text("You hear Otto")
    page.select_option("#blend-voice", "aria")
    wait_blend(page, "aria")
    expect(page.locator("#notice")).to_have_text("")
    page.fill("#blend-share", "100")
    wait_blend(page, "aria", 1)
    expect(page.locator("#heard-name")).to_have_text("You hear Aria")
    expect(page.locator("#blend-value")).to_have_text("only Aria")


def test_what_has_the_focus_is_not_under_the_bar(
    service: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(singer)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(service.url)
    page.select_option("#blend-voice", index=1)
    page.focus("#start")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "blend-share":
            break
    assert (
        page.evaluate(
            """() => {
          const { x, y, width, height } = document.activeElement.getBoundingClientRect();
          return document.elementFromPoint(x + width / 2, y + height / 2).id;
        }"""
        )
        == "blend-share"
    )
