"""Stages made over REST, for pages that need one at once; and patience."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

SECONDS = 9.0  # of the song of most tests


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)


def _ask(request: urllib.request.Request | str) -> dict[str, Any]:
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def make_stage(url: str, song: Path, lyrics: str | None = None) -> str:
    """Have a server make a stage of a song that belongs to nobody; its id."""
    edge = "edge-of-a-part"
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="preset"\r\n\r\nfast\r\n'.encode(),
        f'--{edge}\r\nContent-Disposition: form-data; name="song"; filename="{song.name}"\r\n\r\n'.encode(),
        song.read_bytes(),
        f"\r\n--{edge}--\r\n".encode(),
    ]
    headers = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    songs = f"{url}/api/v1/karaoke/songs"
    made = _ask(urllib.request.Request(songs, b"".join(parts), headers))
    address = f"{songs}/{made['song_id']}"

    def done() -> bool:
        status = _ask(address)["status"]
        assert status in ("queued", "processing", "completed"), status
        return bool(status == "completed")

    wait_for(done, 150)
    if lyrics is not None:
        _ask(urllib.request.Request(f"{address}/lyrics", lyrics.encode(), method="PUT"))
    return str(made["song_id"])


def open_stage(context: BrowserContext, song_id: str) -> Page:
    """A page on which the song can be sung, by the built-in phrase, in its own voice."""
    page = context.new_page()
    page.goto(f"/karaoke?converter=passthrough&source=phrase#{song_id}")
    page.wait_for_selector("#sing:enabled", timeout=60_000)
    page.select_option("#effects", "Dry")
    page.fill("#round-trip", "0")
    return page
