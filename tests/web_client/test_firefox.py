"""The pages in a real Firefox: singing by every line, and a song that is sung in time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.bursts import SAMPLE_RATE, coded_bursts, loop_delays, write_wav
from bench.karaoke_sync import lags_ms, read_part
from bench.loopback import available, loopback
from bench.service import Service
from tests.songs import write_song
from tests.web_client.karaoke.stages import make_stage
from tests.web_client.song.conftest import songs

pytest.importorskip("marionette_driver", reason="marionette_driver comes with the extra `test`")

from tests.web_client.firefox import Firefox, find_firefox, firefox

__all__ = ["songs"]
pytestmark = pytest.mark.browser

SECONDS = 9.0


@pytest.fixture(scope="module")
def card() -> Iterator[dict[str, str]]:
    """The environment of programs with a sound card that hears itself."""
    if not available():
        pytest.skip("no PulseAudio: apt-get install pulseaudio pulseaudio-utils")
    if find_firefox() is None:
        pytest.skip("no Firefox: apt-get install firefox-esr")
    with loopback() as environ:
        yield environ


@pytest.fixture(scope="module")
def page(card: dict[str, str]) -> Iterator[Firefox]:
    with firefox(card) as running:
        yield running


@pytest.fixture
def somebody(card: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """Somebody at the microphone."""
    write_wav(tmp_path / "bursts.wav", coded_bursts(60, np.random.default_rng(5)))
    with subprocess.Popen(["paplay", "--device=loop", str(tmp_path / "bursts.wav")], env=card) as playing:
        yield
        playing.kill()


@pytest.mark.parametrize("transport", ["websocket", "data", "track"])
def test_it_comes_out_at_the_delay_that_the_page_shows(
    service: Service, page: Firefox, somebody: None, transport: str
) -> None:
    page.open(f"{service.url}/?transport={transport}&converter=passthrough&latency=interactive")
    page.fill("#volume", "0")  # or the microphone would hear itself
    page.fill("#hold-ms", "250")
    page.click("#hold-constant")
    page.click("#start:enabled")
    page.wait(lambda: page.snapshot()["counters"]["frames_received"] > 200)
    page.run("autovoice.tap(4).then((tap) => { window.tapped = tap; })")
    page.wait(lambda: page.run("return !!window.tapped"))
    shown = page.snapshot()
    captured, played = (
        np.array(page.run(f"return Array.from(window.tapped.{side})")) for side in ("input", "output")
    )
    delays, lost = loop_delays(captured, played)
    assert delays.size >= 6
    assert lost <= delays.size / 4
    assert np.median(delays) == pytest.approx(shown["delay"]["loop_ms"], abs=3)
    assert (shown["state"], shown["failure"], shown["transport"]) == ("live", None, transport)
    assert (shown["delay"]["parts_ms"]["output"] is None) is sys.platform.startswith("linux")
    page.click("#start")
    page.wait(lambda: page.snapshot()["state"] == "idle")


def round_trip_ms(page: Firefox) -> float:
    """What the page measures that its devices take; a busy machine may not hear its sweeps at once."""
    for _ in range(3):
        page.click("#measure:enabled")
        page.wait(lambda: page.run("return !!document.querySelector('#measure:enabled')"), 30)
        said = page.text("#measure-note")
        if "ms. Measure again" in said:
            return float(said.split(" ms.")[0])
    raise AssertionError(said)


def test_a_song_is_sung_in_time(songs: Service, page: Firefox, tmp_path: Path) -> None:
    song_id = make_stage(songs.url, write_song(tmp_path / "tune.flac", SECONDS))
    page.open(f"{songs.url}/karaoke?converter=passthrough#{song_id}")
    page.wait_for("#sing:enabled", 60)
    for slider, volume in (("guide", "0"), ("track", "90"), ("own", "0")):
        page.fill(f"#{slider}", volume)
    before = round_trip_ms(page)
    assert 10 < before < 900
    page.click("#sing")
    page.wait_for('a[download="autovoice-take-1-mix.wav"]', SECONDS + 60)
    dry, accompaniment = (
        read_part(page.downloaded(f'a[download="autovoice-take-1-{part}.wav"]'))
        for part in ("dry", "accompaniment")
    )
    assert len(dry) == len(accompaniment) == round(SECONDS * SAMPLE_RATE)
    moved = abs(round_trip_ms(page) - before)  # a busy machine's sound card may have run dry in between
    assert moved < 50
    assert np.nanmin(np.abs(lags_ms(accompaniment, dry))) < 2 + moved
