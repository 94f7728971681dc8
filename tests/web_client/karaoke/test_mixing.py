"""The mixing desk of the karaoke page in Chromium: what is set is heard, seen on its meters, and kept."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.web_client.karaoke.stages import open_stage, wait_for

pytestmark = pytest.mark.browser


def level(page: Page, name: str) -> int:
    return int(page.get_attribute(f"#meter-{name}", "aria-valuenow") or -60)


METERS = ("voice", "song", "all")


def test_presets_are_set_by_hand_saved_and_found_again(visit: BrowserContext, song_id: str) -> None:
    page = open_stage(visit, song_id)
    page.select_option("#effects", "Hall")
    page.click("summary:has-text('Set the effects')")
    assert page.input_value("#effect-room") == "hall"
    page.fill("#effect-echo", "0.5")
    assert page.input_value("#effects") == ""
    assert page.inner_text("#effect-echo-value") == "50 %"
    page.fill("#own", "60")
    page.fill("#preset-name", "Dry")
    page.keyboard.press("Enter")
    expect(page.locator("#preset-note")).to_contain_text("comes with the page")
    page.fill("#preset-name", "Late night")
    page.keyboard.press("Enter")
    expect(page.locator("#preset-note")).to_contain_text("Saved")
    page.select_option("#effects", "Dry")
    assert page.input_value("#effect-echo") == "0"
    page.fill("#own", "100")
    page.reload()
    page.wait_for_selector("#sing:enabled")
    assert page.input_value("#effects") == "Dry"  # as it was set last
    page.select_option("#effects", label="Late night")
    assert (page.input_value("#effect-echo"), page.input_value("#effect-room")) == ("0.5", "hall")
    assert page.input_value("#own") == "60"
    page.reload()
    page.wait_for_selector("#sing:enabled")
    assert page.input_value("#own") == "60"
    assert page.locator("#effects option:checked").inner_text() == "Late night"
    page.fill("#own", "70")
    assert page.input_value("#effects") == ""  # that is not what the preset says
    page.select_option("#effects", label="Late night")
    page.click("summary:has-text('Set the effects')")
    page.click("#preset-delete")
    assert page.locator("#effects option:has-text('Late night')").count() == 0
    assert page.input_value("#effect-echo") == "0.5"


def test_meters_show_what_is_heard(visit: BrowserContext, song_id: str) -> None:
    page = open_stage(visit, song_id)
    assert {level(page, name) for name in METERS} == {-60}
    page.click("#sing")
    page.wait_for_selector("#sing:has-text('Stop')")
    for name in METERS:
        wait_for(lambda name=name: level(page, name) > -45)
    page.fill("#own", "0")
    page.fill("#track", "0")
    page.fill("#guide", "0")
    for name in METERS:
        wait_for(lambda name=name: level(page, name) <= -59)
    page.click("#sing")
