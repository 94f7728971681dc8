"""Takes in a real Chromium: kept as they are sung, found again after the tab has died, files that line up."""

from __future__ import annotations

import contextlib
import io as std_io
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as PageError

from bench.service import Service
from tests.web_client.karaoke.stages import SECONDS, open_stage

pytestmark = pytest.mark.browser

RATE = 48_000
PARTS = ("mix", "converted", "dry", "accompaniment")


def files_of(page: Page) -> dict[str, np.ndarray]:
    """The newest take's files as (samples, channels)."""
    found = {}
    for part in PARTS:
        with page.expect_download() as download:
            page.click(f"#takes > li:first-child .track-{part} a[download$='.wav']")
        with wave.open(std_io.BytesIO(Path(download.value.path()).read_bytes())) as file:
            assert (file.getframerate(), file.getsampwidth()) == (RATE, 2)
            pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            found[part] = pcm.reshape(-1, file.getnchannels()).astype(float)
    return found


def lag_of(dry: np.ndarray, voice: np.ndarray) -> int:
    """By how many samples a voice is late, from -1000 to 1000."""
    middle = dry[1000:-1000]
    return int(np.argmax(np.correlate(voice[: 20 * RATE], middle, "valid"))) - 1000


def crash(page: Page) -> None:
    """Kill the process of a page, as when memory runs out."""
    with page.expect_event("crash"), contextlib.suppress(PageError):
        page.goto("chrome://crash", timeout=3000)


def test_a_take_outlives_its_tab(visit: BrowserContext, song_id: str) -> None:
    visit.new_page()  # keeps the browser's window open
    page = open_stage(visit, song_id)
    page.click("#sing")
    page.wait_for_selector("#sing:has-text('Stop')")
    page.wait_for_timeout(4500)
    assert visit.new_page().goto("/karaoke") is not None
    assert visit.pages[-1].locator("#takes > li").count() == 0  # somebody else's, as long as it is being sung
    crash(page)
    again = visit.new_page()
    again.goto("/karaoke")
    again.wait_for_selector("#takes > li")
    head = again.inner_text("#takes .take-head")
    assert "recovered" in head
    assert "Take 1" in head
    assert "cut short" in again.inner_text("#takes-note")
    again.click("#takes button:has-text('Open')")
    again.wait_for_selector("#takes .track-mix audio")
    files = files_of(again)
    length = len(files["dry"])
    assert 2 * RATE < length < 5.5 * RATE
    assert {len(sound) for sound in files.values()} == {length}
    assert np.abs(files["dry"]).max() > 1000
    assert lag_of(files["dry"][:, 0], files["converted"][:, 0]) == 0
    again.reload()
    again.wait_for_selector("#takes > li")
    assert again.locator("#takes > li").count() == 1
    again.click("#takes button:has-text('Delete')")
    again.click("#takes button:has-text('Really?')")
    again.wait_for_selector("#takes-empty:visible")
    again.reload()
    again.wait_for_timeout(500)
    assert again.locator("#takes > li").count() == 0


def test_the_four_files_of_a_take_line_up_to_the_sample(visit: BrowserContext, song_id: str) -> None:
    page = open_stage(visit, song_id)
    page.fill("#track", "80")
    page.fill("#own", "50")
    page.click("#sing")
    page.wait_for_selector("#takes > li .track-mix audio", timeout=60_000)
    files = files_of(page)
    assert {len(sound) for sound in files.values()} == {round(SECONDS * RATE)}
    dry, voice = files["dry"][:, 0], files["converted"][:, 0]
    assert np.abs(dry).max() > 1000
    assert lag_of(dry, voice) == 0
    assert np.mean(voice == dry) > 0.6  # but for what a busy machine lost
    sum_of_both = 0.5**2 * voice[:, None] + 0.8**2 * files["accompaniment"]
    scale = np.sum(files["mix"] * sum_of_both) / np.sum(sum_of_both**2)
    assert 0.8 < scale < 1.001  # all of it is quieter where it would have been too loud
    assert np.abs(files["mix"] - scale * sum_of_both).max() < 4


def test_a_take_is_kept_on_the_server_and_sung_again(
    visit: BrowserContext,
    browser: Browser,
    songs: Service,
    song_id: str,
) -> None:
    page = open_stage(visit, song_id)
    page.click("#sing")
    page.wait_for_selector("#takes > li .track-mix audio", timeout=60_000)
    local = files_of(page)
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.method == "PUT" else None)
    page.route("**/audio/voice?*", lambda route: route.fulfill(status=500, json={"message": "It broke off"}))
    page.click("#takes button:has-text('Keep on the server')")
    page.wait_for_selector("#takes p:has-text('It broke off')")
    page.unroute("**/audio/voice?*")
    page.click("#takes button:has-text('Keep on the server')")
    page.wait_for_selector("#takes .track-mix a[download$='.mp3']")
    assert [url.split("/")[-1].split("?")[0] for url in sent] == [
        "dry",
        "voice",
        "voice",
        "mix",
    ]  # it went on there
    page.select_option("#effects", "Cathedral")
    page.fill("#track", "40")
    page.click("#takes button:has-text('Mix again')")
    page.wait_for_selector("#takes p:has-text('that are set now')", timeout=30_000)
    before, local["mix"] = local["mix"], files_of(page)["mix"]
    assert np.std(local["mix"] - before) > 0.1 * np.std(before)
    for part, samples in local.items():
        found = far_file(page, f".track-{part} a[download$='.flac']")
        if part == "accompaniment":
            assert lag_of(samples[:, 0], found[:, 0]) == 0
            assert np.std(found - samples) < 0.01 * np.std(samples)  # from 44.1 kHz by two resamplers
        else:
            assert np.abs(found - samples).max() <= 1
    page.check("#voice-otto", force=True)
    page.click("#takes button:has-text('Sing again')")
    page.wait_for_selector("#takes .track-mix-again audio", timeout=120_000)
    voice, mix = (far_file(page, f".track-{part}-again a[download$='.flac']") for part in ("converted", "mix"))
    assert len(voice) == len(mix) == len(local["dry"])
    assert np.std(voice) > 100
    there = far_file(page, ".track-mix-again a[download$='.wav']")
    assert np.abs(there - mix).max() <= 1  # the server has the mix that was made here

    other = browser.new_context(base_url=songs.url, storage_state=visit.storage_state())
    elsewhere = other.new_page()
    elsewhere.goto("/karaoke")
    elsewhere.wait_for_selector("#takes > li:has-text('Take of')")
    elsewhere.click("#takes button:has-text('Open')")
    elsewhere.wait_for_selector("#takes .track-mix-again audio", timeout=60_000)
    assert np.abs(far_file(elsewhere, ".track-dry a[download$='.wav']") - local["dry"]).max() == 0
    elsewhere.select_option("#effects", "Dry")
    elsewhere.click("#takes button:has-text('Mix again')")
    elsewhere.wait_for_selector("#takes p:has-text('that are set now')", timeout=30_000)
    again = far_file(elsewhere, "> .tracks .track-mix a[download$='.flac']")
    here = far_file(elsewhere, "> .tracks .track-mix a[download$='.wav']")
    assert np.abs(again - here).max() <= 1
    assert np.std(again - local["mix"]) > 0.1 * np.std(before)
    elsewhere.click("#takes button:has-text('Delete')")
    elsewhere.click("#takes button:has-text('Really?')")
    elsewhere.wait_for_selector("#takes-empty:visible")
    other.close()
    page.reload()
    page.wait_for_selector("#takes > li")
    page.click("#takes button:has-text('Open')")
    page.wait_for_selector("#takes button:has-text('Keep on the server')")  # what is here is still here


def far_file(page: Page, link: str) -> np.ndarray:
    """What a link of the first take gives, as (samples, channels) of 16 bits."""
    with page.expect_download() as download:
        page.click(f"#takes > li:first-child {link}")
    with av.open(str(download.value.path())) as file:
        channels = file.streams.audio[0].channels
        parts = [frame.to_ndarray().reshape(-1, channels) for frame in file.decode(audio=0)]
    return np.concatenate(parts).astype(float)
