"""What is seen and read aloud: labels, contrast, lines over lines, failures in view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from bench.service import Service
from tests.web_client.conftest import Launch

pytestmark = pytest.mark.browser


def test_a_failure_on_a_phone_comes_into_view(
    launch: Launch, open_page: Callable[..., Page], service: Service
) -> None:
    page = open_page(launch(), viewport={"width": 360, "height": 740})
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));"
    )
    page.goto(service.url)
    page.wait_for_selector("#start:enabled")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.click("#start")
    page.wait_for_selector("#failure[data-code=NotAllowedError]")
    page.wait_for_timeout(300)
    box, bar = (page.locator(part).bounding_box() for part in ("#failure", ".transport"))
    assert box is not None
    assert bar is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= bar["y"]


def test_the_button_that_asks_again_says_so_aloud(
    launch: Launch, open_page: Callable[..., Page], service: Service
) -> None:
    page = open_page(launch())

    def voices(route: Route) -> None:
        owner = route.request.url.partition("user_id=")[2].partition("&")[0]
        route.fulfill(json=[{"profile_id": "v", "profile_name": "Ann", "user_id": owner, "builtin": False}])

    page.route("**/voice/profiles*", voices)
    page.clock.install()
    page.goto(service.url)
    button = page.locator("#voices button[aria-label*=elete]")
    assert button.get_attribute("aria-label") == "Delete the voice Ann"
    button.click()
    assert button.inner_text() == "Really?"
    assert button.get_attribute("aria-label") == "Really delete the voice Ann?"
    page.clock.run_for(4100)
    assert button.inner_text() == "Delete"
    assert button.get_attribute("aria-label") == "Delete the voice Ann"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("on", [True, False])
def test_a_switch_stands_out_from_its_card(
    launch: Launch, open_page: Callable[..., Page], service: Service, scheme: Any, on: bool
) -> None:
    page = open_page(launch(), color_scheme=scheme, reduced_motion="reduce")
    page.goto(service.url)
    page.set_checked("#auto-pitch", on)
    colours = [
        page.locator(part).evaluate("(element) => getComputedStyle(element).backgroundColor")
        for part in ("#auto-pitch", ".controls.card")
    ]
    light, dark = sorted((luminance(colour) for colour in colours), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG defines it."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_what_is_sung_stays_visible_in_unison(modules: Page) -> None:
    colours = modules.evaluate(
        """async () => {
          const { PitchView } = await import('/client/js/pitch-view.js');
          const canvas = document.createElement('canvas');
          canvas.style.cssText =
            'width: 400px; height: 200px; --sung: #00f; --heard: #f00; --line: #fff; --muted: #000';
          document.body.append(canvas);
          const view = new PitchView(canvas);
          view.resize();
          const steady = new Array(100).fill(220);
          view.advance(48000);
          view.add({ position: 0, hop: 480, f0_in: steady, f0_out: steady });
          for (let i = 0; i < 300; i++) view.draw(); // the range has settled
          const { data } = view.context.getImageData(380, 0, 1, canvas.height);
          canvas.remove();
          const seen = { sung: 0, heard: 0 };
          for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3] < 200) continue;
            if (data[i + 2] > 200 && data[i] < 60) seen.sung++;
            if (data[i] > 200 && data[i + 2] < 60) seen.heard++;
          }
          return seen;
        }"""
    )
    assert colours["sung"] >= 1
