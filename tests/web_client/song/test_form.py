"""Choosing a song and sending it, against the whole service, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from bench.page import snapshot, wait_until
from bench.service import Service
from tests.web_client.song.conftest import MOST_MB, answer, go, wait_done, wait_for

pytestmark = pytest.mark.browser


def test_a_wrong_file_is_refused_in_words(
    songs: Service, browser: Browser, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = go(open_page(browser, strict=False), f"{songs.url}/song")  # a browser reports the 400 itself
    (tmp_path / "letter.mp3").write_text("Dear Sir or Madam, " * 100)
    page.set_input_files("#song-file", tmp_path / "letter.mp3")
    page.click("#convert")
    page.wait_for_selector("#form-failure[data-code=invalid_audio]")
    assert "not a song" in page.inner_text("#form-failure-title")
    assert len(page.inner_text("#form-failure-advice")) > 20
    assert page.inner_text("#convert") == "Convert"
    with (tmp_path / "large.wav").open("wb") as file:
        file.truncate((MOST_MB + 2) * 2**20)
    page.set_input_files("#song-file", tmp_path / "large.wav")
    assert page.is_hidden("#form-failure")
    page.click("#convert")
    page.wait_for_selector("#form-failure[data-code=file_too_large]")
    assert f"{MOST_MB} MB" in page.inner_text("#form-failure")


def test_no_voices(songs: Service, browser: Browser, open_page: Callable[..., Page]) -> None:
    page = open_page(browser)
    page.route("**/voice/profiles?*", answer({"profiles": []}))
    page.goto(f"{songs.url}/song")
    wait_for(page, "document.querySelector('#voice-note').textContent.startsWith('No voices yet')")
    assert page.is_disabled("#convert")
    assert "no voice" in page.inner_text("#convert-words")


def test_an_upload_can_be_cancelled(
    songs: Service, browser: Browser, open_page: Callable[..., Page], recordings_folder: Path
) -> None:
    page = go(open_page(browser, strict=False), f"{songs.url}/song")
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    wire.send("Network.emulateNetworkConditions", slow)
    page.set_input_files("#song-file", recordings_folder / "short.wav")
    page.click("#convert")
    wait_for(page, "document.querySelector('#upload-progress').value > 0.01")
    assert page.inner_text("#convert") == "Cancel upload"
    page.click("#convert")
    page.wait_for_selector("#upload", state="hidden")
    assert page.inner_text("#convert") == "Convert"
    assert page.is_hidden("#form-failure")
    assert page.is_hidden("#job")


def test_a_song_can_be_dropped_anywhere(
    songs: Service, browser: Browser, open_page: Callable[..., Page]
) -> None:
    page = go(open_page(browser), f"{songs.url}/song")
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([new Uint8Array(2000)], 'dropped.ogg', { type: 'audio/ogg' }));
          for (const type of ['dragenter', 'dragover', 'drop']) {
            document.querySelector('.voices').dispatchEvent(
              new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
          }
        }"""
    )
    assert page.inner_text("#song-words").startswith("dropped.ogg")
    assert page.is_enabled("#convert")


def test_it_works_by_keyboard(
    songs: Service, browser: Browser, open_page: Callable[..., Page], recordings_folder: Path
) -> None:
    page = go(open_page(browser), f"{songs.url}/song")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the link that skips to the song
    assert page.evaluate("document.activeElement.id") == "song-file"
    page.set_input_files("#song-file", recordings_folder / "short.wav")
    for key, element in (("Tab", "preset-balanced"), ("ArrowLeft", "preset-fast")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == element
    page.keyboard.press("Tab")  # details
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "convert"
    page.keyboard.press("Enter")
    wait_done(page)
    page.focus("#wave")
    page.keyboard.press("ArrowRight")
    assert snapshot(page)["position"] == pytest.approx(5)
    page.keyboard.press("Space")
    wait_until(page, lambda shown: shown["playing"])
    page.focus("#hear-converted")
    page.keyboard.press("ArrowLeft")
    wait_until(page, lambda shown: shown["heard"] == "original")
    page.focus("#wave")
    page.keyboard.press("Space")
    wait_until(page, lambda shown: not shown["playing"])
    page.evaluate("location.hash = ''")
    page.wait_for_selector("#job", state="hidden")
    page.focus("#songs a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#play:enabled")


def test_the_rooms_lead_to_each_other(songs: Service, browser: Browser, open_page: Callable[..., Page]) -> None:
    page = go(open_page(browser), songs.url)
    page.click(".rooms a[href='/song']")
    page.wait_for_selector("#song-form")
    page.click(".rooms a[href='/']")
    page.wait_for_selector("#start")
