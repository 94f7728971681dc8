"""A server that wants a key, as its page shows it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from bench.bursts import coded_bursts, write_wav
from bench.page import go_live, snapshot, wait_until
from bench.service import Service

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("locked")
    service = Service(folder)
    service.environment |= {
        "AUTOVOICE_SECURITY__API_KEY_REQUIRED": "true",
        "AUTOVOICE_STORAGE__DATA_DIR": str(folder),
    }
    with service:
        yield service


def key_for(service: Service, user: str) -> str:
    command = [sys.executable, "-m", "auto_voice.cli", "users", "create", user]
    made = subprocess.run(
        command, env=service.environment, capture_output=True, text=True, timeout=60, check=True
    )
    return made.stdout.strip()


@pytest.fixture(scope="module")
def singer(launch: Callable[..., Browser], tmp_path_factory: pytest.TempPathFactory) -> Browser:
    microphone = tmp_path_factory.mktemp("microphone") / "bursts.wav"
    write_wav(microphone, coded_bursts(20, np.random.default_rng(5)))
    return launch(microphone)


def test_a_key_opens_the_page_for_singing_by_any_line(
    locked: Service, singer: Browser, open_page: Callable[..., Page]
) -> None:
    key = key_for(locked, "ada")
    page = open_page(singer, strict=False)
    page.goto(locked.url)
    dialog = page.locator("dialog.access[open]")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    page.fill("dialog.access[open] input", "av_wrong")
    page.click("dialog.access[open] button")
    expect(page.locator("dialog.access[open] [role=alert]")).to_have_text("That key is not valid.")
    page.fill("dialog.access[open] input", key)
    page.click("dialog.access[open] button")
    expect(page.locator("#start:enabled")).to_be_visible()
    expect(dialog).to_have_count(0)
    assert key not in page.evaluate("document.cookie + JSON.stringify({ ...localStorage })")
    for transport in ("websocket", "data", "track"):
        go_live(page, f"{locked.url}/?latency=interactive&converter=passthrough&transport={transport}")
        assert snapshot(page)["transport"] == transport
        page.click("#start")
        wait_until(page, lambda shown: shown["state"] == "idle")


def test_the_page_of_songs_asks_too(locked: Service, singer: Browser, open_page: Callable[..., Page]) -> None:
    key = key_for(locked, "bob")
    page = open_page(singer, strict=False)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{locked.url}/song")
    page.fill("dialog.access[open] input", key)
    page.click("dialog.access[open] button")
    expect(page.locator("dialog.access[open]")).to_have_count(0)
    expect(page.locator("#song-list, #history, main").first).to_be_visible()
