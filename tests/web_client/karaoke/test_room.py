"""A room in three real Chromiums: two singers with microphones of their own, and a listener without one."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from bench.rooms import snapshot, tap
from bench.service import Service
from tests.web_client.conftest import Line
from tests.web_client.karaoke.stages import make_stage, wait_for
from tests.web_client.song.conftest import songs, write_band  # noqa: F401 (the first is a fixture)

pytestmark = pytest.mark.browser

RATE = 48_000
SECONDS = 14.0
DUET = """#TITLE:Ours
#BPM:240
#GAP:500
P1
: 0 16 0 One
- 20
: 32 16 4  more
P2
: 8 16 7 Two
- 28
: 40 16 2  more
E
"""
Float = NDArray[np.float64]


def write_voice(path: Path, seed: int) -> Path:
    """A minute that no other microphone hears: bursts of noise, so that each instant is found again."""
    rng = np.random.default_rng(seed)
    swell = np.repeat(rng.uniform(0.02, 0.25, 600), RATE // 10)
    pcm = (32767 * swell * np.clip(rng.standard_normal(len(swell)), -3, 3) / 3).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())
    return path


def place_in(whole: Float, part: Float) -> tuple[int, float]:
    """Where a part lies in a recording, in samples, and how like it is (1: the same)."""
    size = 1 << (len(whole) + len(part)).bit_length()
    found = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)[: len(whole)]
    best = int(np.argmax(found))
    there = whole[best : best + len(part)]
    return best, float(found[best] / np.sqrt(np.sum(there**2) * np.sum(part[: len(there)] ** 2) + 1e-12))


def lateness(sung: Float, heard: Float, song_at: int) -> Float:
    """How late parts of a voice are heard, in samples, where a busy machine has not torn them.

    Args:
        sung: from the song's first sample on.
        heard: while the song was at `song_at`.
        song_at: samples.
    """
    parts = [(at, heard[at : at + RATE // 4]) for at in range(0, len(heard) - RATE // 4 + 1, RATE // 8)]
    found = [(at, *place_in(sung, part)) for at, part in parts]
    late = [song_at + at - sung_at for at, sung_at, likeness in found if likeness > 0.9]
    assert late, found
    return np.array(late, float)


def take(page: Page, folder: Path) -> dict[str, Float]:
    """The files of a page's only take: one channel of each."""
    page.wait_for_selector('a[download="autovoice-take-1-mix.wav"]', timeout=60_000)
    found = {}
    for part in ("converted", "accompaniment"):
        with page.expect_download() as download:
            page.click(f'a[download="autovoice-take-1-{part}.wav"]')
        path = folder / f"{part}.wav"
        download.value.save_as(path)
        with wave.open(str(path)) as file:
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            found[part] = pcm.reshape(-1, file.getnchannels())[:, 0] / 32768
    return found


@pytest.fixture(scope="module")
def stage(songs: Service, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: F811
    """A duet of fourteen seconds."""
    song = write_band(tmp_path_factory.mktemp("duet") / "song.flac", SECONDS, 3)
    return make_stage(songs.url, song, DUET)


def test_two_sing_in_a_room_and_a_third_hears_them_in_line(
    songs: Service,  # noqa: F811
    stage: str,
    launch: Callable[..., Browser],
    open_page: Callable[..., Page],
    tmp_path: Path,
) -> None:
    browsers = [launch(write_voice(tmp_path / f"{seed}.wav", seed)) for seed in (1, 2)]
    ann, bo = (open_page(browser) for browser in browsers)
    cy = open_page(browsers[0], viewport={"width": 390, "height": 844})

    ann.goto(f"{songs.url}/karaoke?converter=passthrough#{stage}")
    ann.fill("#room-name", "Ann")
    ann.click("#room-open", timeout=60_000)
    ann.wait_for_selector("#room-shown-code")
    code = ann.inner_text("#room-shown-code")
    bo.goto(f"{songs.url}/karaoke?converter=passthrough&room={code}")
    bo.fill("#room-name", "Bo")
    bo.focus("#room-join-singer")
    bo.keyboard.press("Enter")
    bo.wait_for_selector("#room-title:focus")  # by keyboard, it goes on from there
    cy.goto(f"{songs.url}/karaoke?room={code}")
    cy.fill("#room-name", "Cy")
    cy.click("#room-join-listener")
    for page in (ann, bo, cy):
        page.wait_for_selector("#room-members li:nth-child(3)")
    assert cy.is_hidden("#sing")
    assert bo.is_hidden("#room-start")
    for page in (ann, bo):
        page.wait_for_selector("#sing:enabled", timeout=60_000)
        page.click("#sing")
    ann.wait_for_selector("#room-start:enabled", timeout=60_000)
    ann.click("#room-start")
    assert ann.evaluate("() => document.activeElement.id") == "sing"
    wait_for(lambda: all(snapshot(page)["run"] == 1 for page in (ann, bo, cy)))
    wait_for(lambda: [report for report in snapshot(cy)["reports"] if report["frames"] > 10][1:])
    assert "Two" in bo.inner_text("#words")  # the second part is the second singer's
    assert "One" in bo.inner_text("#words-two")
    heard = {page: tap(page, 1.0) for page in (cy, ann, bo)}
    late = {page: page.inner_text("#room-delay") for page in (ann, bo, cy)}
    takes = [take(page, tmp_path) for page in (ann, bo)]

    song_at, likeness = place_in(takes[0]["accompaniment"], heard[cy][2])
    assert likeness > 0.9
    for singer in (0, 1):  # what each sang at that place of the song is heard with it
        found = lateness(takes[singer]["converted"], heard[cy][singer], song_at)
        assert np.abs(found).max() <= 1  # of 48 samples in a millisecond
    assert "in line to the sample" in late[cy]
    for page, other, name in ((ann, 1, "Bo"), (bo, 0, "Ann")):
        song_at, _ = place_in(takes[0]["accompaniment"], heard[page][2])
        found = lateness(takes[other]["converted"], heard[page][other], song_at)
        assert 0 < found.min() <= found.max() <= RATE
        assert late[page].startswith(f"You hear {name} ")
    ann.wait_for_selector("body[data-state=idle]", timeout=30_000)
    ann.click("#room-leave")
    bo.wait_for_selector("#room-members li:nth-child(2)")
    wait_for(lambda: snapshot(bo)["me"]["host"])  # somebody has to begin the next song
    wait_for(lambda: "Ann" not in cy.inner_text("#room-members"))


def test_a_code_that_opens_nothing_is_told_in_words(
    songs: Service,  # noqa: F811
    launch: Callable[..., Browser],
    open_page: Callable[..., Page],
) -> None:
    page = open_page(launch(), strict=False)
    page.goto(f"{songs.url}/karaoke?room=2222-2222")
    page.click("#room-join-singer")
    page.wait_for_selector("#room-note:has-text('no room has this code')")
    assert page.is_visible("#room-outside")


def test_a_line_that_was_lost_is_come_back_to(
    songs: Service,  # noqa: F811
    stage: str,
    launch: Callable[..., Browser],
    open_page: Callable[..., Page],
) -> None:
    line = Line(songs.port)
    try:
        page = open_page(launch(), strict=False)
        page.goto(f"{line.url}/karaoke#{stage}")
        page.click("#room-open", timeout=60_000)
        page.wait_for_selector("#room-members li")
        me = snapshot(page)["me"]
        assert (me["place"], me["host"]) == (0, True)
        line.cut()
        page.wait_for_selector("#room-note:has-text('Coming back by itself')")
        line.mend()
        page.wait_for_selector("#room-note:has-text('Coming back by itself')", state="hidden")
        wait_for(lambda: snapshot(page)["me"] == me)  # the same place
        page.reload()
        page.click("#room-join-singer")
        page.wait_for_selector("#room-members li")
        assert snapshot(page)["me"]["id"] == me["id"]
        page.wait_for_selector("#sing:enabled", timeout=60_000)  # voices and song are there again
        page.click("#room-leave")
        page.wait_for_selector("#room-outside")
    finally:
        line.close()
