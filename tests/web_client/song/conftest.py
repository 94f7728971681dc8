"""The whole service for the song page, songs that the tests sing themselves, and the steps of a guest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route

from bench.page import snapshot, wait_until
from bench.service import Service
from pipeline import io
from tests.songs import RATE, song

SECONDS = 12.0
MOST_MB = 24
VOICE = "bruno"


def write_band(path: Path, seconds: float, seed: int) -> Path:
    """A singer over chords and a drum: what is struck has a place in time to the sample."""
    rng = np.random.default_rng(seed)
    mixed = song(seconds, seed=seed)
    stroke = np.exp(-np.arange(3000) / 500)
    for beat in range(0, mixed.shape[1] - 6000, RATE // 2):
        at = beat + int(rng.integers(0, 3000))
        mixed[:, at : at + 3000] += (0.25 * rng.standard_normal(3000) * stroke).astype(np.float32)
    io.encode(path, mixed, RATE)
    return path


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Service]:
    """The whole program with one worker and folders of its own."""
    folder = tmp_path_factory.mktemp("songs")
    running = Service(folder, capacity=2)
    running.environment |= {
        "AUTOVOICE_STORAGE__DATA_DIR": str(folder / "data"),
        "AUTOVOICE_STORAGE__MODELS_DIR": str(models_dir),
        "AUTOVOICE_LIMITS__CONCURRENT_CONVERSIONS": "1",
        "AUTOVOICE_LIMITS__MAX_AUDIO_SIZE_MB": str(MOST_MB),
    }
    with running:
        yield running


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Browser]) -> Browser:
    return launch(fake_device=False)


@pytest.fixture(scope="session")
def recordings_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("band")
    write_band(folder / "short.wav", SECONDS, 1)
    write_band(folder / "long.flac", 90, 2)
    return folder


def go(page: Page, url: str) -> Page:
    page.goto(url)
    page.wait_for_selector("#voices input")
    return page


def wait_for(page: Page, expression: str, seconds: float = 20) -> None:
    """Playwright's own way evaluates strings in the page, which its content policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def convert(page: Page, file: Path, preset: str = "fast") -> str:
    """Send a song; returns the id of its conversion."""
    before = snapshot(page)["conversion"]
    page.set_input_files("#song-file", file)
    page.check(f"#voice-{VOICE}", force=True)
    page.check(f"#preset-{preset}", force=True)
    page.click("#convert")
    found = wait_until(page, lambda shown: shown["conversion"] not in (before, None), 60)
    return str(found["conversion"])


def wait_done(page: Page) -> None:
    wait_until(page, lambda shown: shown["status"] == "completed", 120)
    page.wait_for_selector("#play:enabled")


def answer(body: dict[str, Any], status: int = 200) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, json=body)
