"""Following a conversion, hearing it, and finding it again, against the whole service, in a real Chromium."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from bench.page import snapshot, wait_until
from bench.service import Service
from pipeline.reader import AudioReader
from tests.songs import RATE
from tests.web_client.song.conftest import SECONDS, answer, convert, go, wait_done, wait_for

pytestmark = pytest.mark.browser


TAP = """async (seconds) => {
  const { original, converted, played } = await (globalThis.tapped ?? autovoice.tap(seconds));
  return [original, converted, played].map((samples) => {
    const bytes = new Uint8Array(samples.buffer);
    let text = '';
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return btoa(text);
  });
}"""


@dataclass
class Done:
    """A finished conversion, and the browser's memory of who asked for it."""

    url: str
    memory: Any
    ways: set[str]
    shares: list[float]


@pytest.fixture(scope="module")
def done(songs: Service, browser: Browser, recordings_folder: Path) -> Done:
    page = go(browser.new_context().new_page(), f"{songs.url}/song")
    convert(page, recordings_folder / "short.wav")
    ways: set[str] = set()
    shares: list[float] = []

    def finished(shown: dict[str, Any]) -> bool:
        ways.add(shown["way"])
        shares.append(shown["progress"] or 0)
        return bool(shown["status"] == "completed")

    wait_until(page, finished, 120)
    found = Done(page.url, page.context.storage_state(), ways, shares)
    page.context.close()
    return found


@pytest.fixture
def result(done: Done, browser: Browser, open_page: Callable[..., Page]) -> Page:
    """A page with the finished conversion open."""
    page = go(open_page(browser, storage_state=done.memory), done.url)
    page.wait_for_selector("#play:enabled")
    return page


def tap(page: Page, seconds: float) -> list[np.ndarray]:
    """Original, converted and played at the same instants."""
    return [np.frombuffer(base64.b64decode(text), np.float32) for text in page.evaluate(TAP, seconds)]


def lag(one: np.ndarray, other: np.ndarray) -> int:
    """Samples by which the second is late, going by the drum: above the voices, which differ."""
    size = 1 << (2 * one.size - 1).bit_length()
    spectrum = np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size))
    spectrum[np.fft.rfftfreq(size, 1 / RATE) < 4000] = 0
    at = int(np.argmax(np.fft.irfft(spectrum, size)))
    return at if at < size / 2 else at - size


def test_it_is_told_how_far_it_is_until_it_is_done(done: Done, result: Page) -> None:
    assert done.ways - {"none"} == {"socket"}
    assert max(done.shares) == 100
    assert len(set(done.shares)) > 2
    assert result.inner_text("#job-title") == "short"
    assert "Bruno" in result.inner_text("#job-facts")
    assert result.is_hidden("#progress")
    assert result.is_hidden("#job-failure")
    figures = result.inner_text("#figures")
    assert "Likeness to the voice" in figures
    assert "spleeter" in figures
    assert result.locator("#songs a[aria-current]").count() == 1


def test_a_and_b_are_in_sync(result: Page) -> None:
    result.click("#play")
    wait_until(result, lambda shown: shown["playing"] and shown["position"] > 1)
    result.evaluate("void (globalThis.tapped = autovoice.tap(3))")
    result.wait_for_timeout(1500)
    result.check("#hear-original", force=True)
    original, converted, played = tap(result, 3)
    assert lag(original, converted) == 0
    assert np.abs(original - converted).max() > 0.05
    head, tail = slice(0, RATE // 2), slice(-RATE // 2, None)
    assert np.abs(played[head] - converted[head]).max() < 1e-4
    assert np.abs(played[tail] - original[tail]).max() < 1e-4
    changing = np.flatnonzero((np.abs(played - converted) > 1e-3) & (np.abs(played - original) > 1e-3))
    assert 0 < changing[-1] - changing[0] < 0.03 * RATE  # a crossfade of some milliseconds
    between = played[changing[0] : changing[-1]]
    low = np.minimum(original, converted)[changing[0] : changing[-1]]
    high = np.maximum(original, converted)[changing[0] : changing[-1]]
    assert np.all((between > low - 1e-3) & (between < high + 1e-3))  # never louder than both


def test_stems_are_balanced_live(result: Page) -> None:
    result.click("#play")
    result.fill("#remix-vocals", "1.05")
    wait_until(result, lambda shown: shown["heard"] == "remix" and len(shown["tracks"]) == 4)
    result.fill("#remix-vocals", "1")
    result.wait_for_timeout(300)
    _, converted, played = tap(result, 1)
    assert np.std(played - converted) < 0.03 * np.std(converted)  # at its own volumes the mix is the file
    result.fill("#remix-vocals", "0")
    result.fill("#remix-instrumental", "0")
    result.wait_for_timeout(400)
    assert np.abs(tap(result, 0.3)[2]).max() < 1e-4
    result.click("#remix-reset")
    result.wait_for_timeout(100)
    assert snapshot(result)["heard"] == "converted"
    _, converted, played = tap(result, 0.3)
    assert np.abs(played - converted).max() < 1e-4


def test_what_is_downloaded_is_the_song(result: Page, tmp_path: Path) -> None:
    names = {"short – Bruno.wav", "short – vocals.wav", "short – accompaniment.wav"}
    links = result.locator("#downloads a")
    tracks = {}
    for i in range(links.count()):
        with result.expect_download() as download:
            links.nth(i).click()
        name = download.value.suggested_filename
        download.value.save_as(tmp_path / name)
        with AudioReader(tmp_path / name) as reader:
            tracks[name] = np.concatenate(list(reader.blocks(channels=2)), 1)
    assert set(tracks) == names
    assert {track.shape for track in tracks.values()} == {(2, int(SECONDS * RATE))}
    whole, rest, vocals = (tracks[name] for name in sorted(names))
    assert min(np.std(track) for track in (whole, vocals, rest)) > 0.01
    assert np.std(whole - vocals - 0.9 * rest) < 0.05 * np.std(whole)


def test_a_reload_goes_on_and_cancel_ends_it(
    songs: Service, browser: Browser, open_page: Callable[..., Page], recordings_folder: Path
) -> None:
    page = go(open_page(browser), f"{songs.url}/song")
    identity = convert(page, recordings_folder / "long.flac")
    before = wait_until(page, lambda shown: shown["status"] == "processing" and shown["progress"] > 0, 60)
    page.reload()
    after = wait_until(page, lambda shown: shown["status"] is not None)
    assert (after["conversion"], after["status"]) == (identity, "processing")
    assert after["progress"] >= before["progress"]
    page.wait_for_selector("#progress:not([hidden])")
    assert page.locator("#stages progress").count() == 4
    assert "%" in page.inner_text("#remaining")
    page.click("#cancel")
    wait_until(page, lambda shown: shown["status"] == "cancelled", 30)
    assert page.inner_text("#job-state") == "Cancelled."
    assert page.is_hidden("#progress")
    wait_for(page, "document.querySelector('.song-state')?.textContent === 'Cancelled'")


def test_without_a_socket_it_asks(
    songs: Service, browser: Browser, open_page: Callable[..., Page], recordings_folder: Path
) -> None:
    page = open_page(browser)
    page.route_web_socket("**/ws/conversion/*", lambda socket: socket.close())
    go(page, f"{songs.url}/song")
    convert(page, recordings_folder / "short.wav")
    wait_until(page, lambda shown: shown["way"] == "asking")
    wait_done(page)


def test_a_server_that_goes_away_and_comes_back(
    songs: Service, browser: Browser, open_page: Callable[..., Page], recordings_folder: Path
) -> None:
    page = go(open_page(browser, strict=False), f"{songs.url}/song")
    convert(page, recordings_folder / "long.flac")
    wait_until(page, lambda shown: shown["status"] == "processing", 60)
    assert songs.process is not None
    songs.process.kill()  # one that ends in order finishes its songs first
    songs.stop()
    page.wait_for_selector("#job-failure[data-code=no_answer]")
    assert "does not answer" in page.inner_text("#job-failure")
    songs.start()
    page.wait_for_selector("#job-failure", state="hidden", timeout=30_000)
    wait_done(page)


def test_states_in_words(
    songs: Service, browser: Browser, open_page: Callable[..., Page], recordings_folder: Path, done: Done
) -> None:
    page = open_page(browser, strict=False, storage_state=done.memory)
    full = {
        "error": "service_unavailable",
        "message": "100 conversions wait already",
        "details": {"suggestions": ["try again in some minutes"]},
    }
    page.route("**/convert/song", answer(full, 503))
    go(page, f"{songs.url}/song")
    page.set_input_files("#song-file", recordings_folder / "short.wav")
    page.click("#convert")
    page.wait_for_selector("#form-failure[data-code=service_unavailable]")
    advice = page.inner_text("#form-failure-advice")
    assert advice == "100 conversions wait already. Try again in some minutes."
    page.goto(f"{songs.url}/song#conv-none-of-that-name")
    page.wait_for_selector("#job-failure[data-code=conversion_not_found]")
    for status, error, words in (
        ("expired", None, "no longer kept"),
        ("failed", {"code": "poor_audio_quality", "message": "the song is silent"}, "The song is silent."),
    ):
        shown = {"status": status, "error": error, "conversion_id": "x", "request": {}, "notes": []}
        page.route("**/convert/status/*", answer(shown))
        page.goto(f"{songs.url}/song#conv-{status}")
        wait_for(page, f"autovoice.snapshot().status === '{status}'")
        assert words in page.inner_text("#job-failure")


def test_figures_that_are_null_say_why(modules: Page) -> None:
    rows = modules.evaluate(
        """async () => {
          const { qualityFigures } = await import('/client/js/song/figures.js');
          return qualityFigures({
            pitch_accuracy: { rmse_cents: null, median_abs_cents: null, correlation: null },
            speaker_similarity: { cosine_similarity: 0.71, source_similarity: null },
            f0_statistics: null, overall_quality_score: null,
            unmeasured: { pitch_accuracy: 'nothing is sung', source_similarity: 'too short' },
          });
        }"""
    )
    found = {row["name"]: (row["value"], row["why"]) for row in rows}
    assert found["Likeness to the voice"] == ("0.71", "")
    assert found["The original’s likeness"] == ("not measured", "too short")
    assert found["Pitch error, median"] == ("not measured", "nothing is sung")
    assert found["Score"] == ("not measured", "")


@pytest.mark.parametrize(("width", "height"), [(360, 740), (768, 1024), (1280, 800)])
def test_nothing_is_cut_off(
    done: Done, browser: Browser, open_page: Callable[..., Page], tmp_path: Path, width: int, height: int
) -> None:
    options = {"viewport": {"width": width, "height": height}, "storage_state": done.memory}
    page = go(open_page(browser, **options), done.url)
    page.wait_for_selector("#play:enabled")
    (tmp_path / f"{'Llanfair' * 20}.wav").write_bytes(b"RIFF")
    page.set_input_files("#song-file", tmp_path / f"{'Llanfair' * 20}.wav")
    page.click("details.more summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll('a, button, input, select, h2, h3, dd, p')].filter((element) => {
          const box = element.getBoundingClientRect();
          return box.width > 1 && !element.matches('.skip') && (box.left < 0 || box.right > innerWidth + 0.5);
        }).map((element) => element.outerHTML)"""
    )
    assert outside == []
