"""The line is lost while somebody sings: the page comes back to its session, and a recording stays whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from bench.bursts import SAMPLE_RATE, coded_bursts, write_wav
from bench.page import go_live, snapshot, wait_until
from tests.web_client.conftest import Launch, Line, saved_take

pytestmark = pytest.mark.browser

# The gentler latency: these tests are about what is kept, on machines that may be busy.
CALM = "latency=interactive&transport=websocket&converter=passthrough"


@pytest.fixture(scope="module")
def burster(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Sings bursts of noise of which no two are alike, so that nothing can seem aligned by chance."""
    file = tmp_path_factory.mktemp("microphone") / "bursts.wav"
    write_wav(file, coded_bursts(20, np.random.default_rng(5)))
    return launch(file)


def lose_and_mend(page: Page, line: Line) -> None:
    """Cut the line, and let the page find its way back by itself."""
    line.cut()
    wait_until(page, lambda shown: shown["state"] == "waiting")
    line.mend()
    wait_until(page, lambda shown: shown["state"] == "live")


def test_a_lost_line_comes_back_to_the_same_session(
    line: Line, burster: Browser, open_page: Callable[..., Page]
) -> None:
    page = open_page(burster, strict=False)  # a browser reports refused connections in the console itself
    go_live(page, f"{line.url}/?{CALM}")
    page.fill("#pitch", "5")
    before = wait_until(page, lambda shown: shown["controls_in_force"].get("pitch_semitones") == 5)
    line.cut()
    wait_until(page, lambda shown: shown["state"] == "waiting")
    assert "connection is lost" in page.inner_text("#failure")
    page.fill("#formant", "-2")  # while nobody hears it
    line.mend()
    after = wait_until(page, lambda shown: shown["counters"]["reconnections"] == 1)
    assert after["session"] == before["session"]
    wait_until(page, lambda shown: shown["controls_in_force"].get("formant_semitones") == -2)
    received = after["counters"]["frames_received"]
    after = wait_until(page, lambda shown: shown["counters"]["frames_received"] > received + 50)
    assert after["controls_in_force"]["pitch_semitones"] == 5
    assert page.is_hidden("#failure")


def test_a_recording_stays_whole_and_aligned(
    line: Line, burster: Browser, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page(burster, strict=False)
    go_live(page, f"{line.url}/?{CALM}")
    before = snapshot(page)
    page.click("#record")
    page.wait_for_timeout(2000)
    lose_and_mend(page, line)
    received = snapshot(page)["counters"]["frames_received"]
    wait_until(page, lambda shown: shown["counters"]["frames_received"] > received + 200)
    page.click("#record")
    page.wait_for_selector(".take")
    assert snapshot(page)["session"] == before["session"]

    take = saved_take(page, tmp_path)
    dry, converted = (take[kind].astype(int) for kind in ("dry", "converted"))
    assert dry.size == converted.size > 4 * SAMPLE_RATE
    blocks = dry.size // 480
    sung = np.abs(dry[: blocks * 480]).reshape(blocks, 480).max(axis=1) > 300
    back = np.abs(converted[: blocks * 480]).reshape(blocks, 480).max(axis=1) > 300
    # what was sung is there all the time: the bursts never pause for half a second, lost line or not
    assert np.diff(np.flatnonzero(sung), prepend=0, append=blocks).max() < 50
    # the voice is away for a while and only once, and lies where it was sung before and after that
    away = np.flatnonzero(sung & ~back)
    hole = slice(away[0] * 480, (away[-1] + 1) * 480)
    assert SAMPLE_RATE < hole.start < hole.stop < dry.size - SAMPLE_RATE
    for part in (slice(0, hole.start - 480), slice(hole.stop + 480, dry.size)):
        assert np.mean(np.abs(dry[part] - converted[part]) > 1) < 0.05  # a busy machine may drop a frame
