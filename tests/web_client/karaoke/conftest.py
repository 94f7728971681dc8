"""The service for the karaoke page, as for the song page: one worker, folders of its own; and a stage on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from bench.service import Service
from tests.songs import write_song
from tests.web_client.karaoke.stages import SECONDS, make_stage
from tests.web_client.song.conftest import songs

__all__ = ["songs"]


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Browser]) -> Browser:
    return launch()


@pytest.fixture
def visit(browser: Browser, songs: Service) -> Iterator[BrowserContext]:
    """A guest whose browser remembers what it keeps from one page to the next."""
    context = browser.new_context(base_url=songs.url)
    yield context
    context.close()


@pytest.fixture(scope="module")
def song_id(songs: Service, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A stage that is anybody's."""
    return make_stage(songs.url, write_song(tmp_path_factory.mktemp("tune") / "tune.flac", SECONDS))
