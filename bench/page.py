"""The page in a real Chromium: found, driven, and measured by its own worklet."""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.bursts import Signal

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def find_chromium() -> str | None:
    """The first installed Chromium on the PATH."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    return None


@dataclass
class Tap:
    """What went in and what came out of the page's worklet, and its figures at the end."""

    captured: Signal
    played: Signal
    before: dict[str, Any]
    after: dict[str, Any]


TAP = """async (seconds) => {
  const { input, output } = await autovoice.tap(seconds);
  const shown = autovoice.snapshot();  // before the copying below can disturb anything
  const text = (samples) => {
    const bytes = new Uint8Array(samples.buffer);
    let s = '';
    for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(s);
  };
  return [text(input), text(output), shown];
}"""


def snapshot(page: Page) -> dict[str, Any]:
    """What the page shows, as figures."""
    figures: dict[str, Any] = page.evaluate("autovoice.snapshot()")
    return figures


def tap(page: Page, seconds: float) -> Tap:
    """Record `seconds` of both sides in the page's worklet."""
    before = snapshot(page)
    *sides, after = page.evaluate(TAP, seconds)
    captured, played = (np.frombuffer(base64.b64decode(text), np.float32).astype(float) for text in sides)
    return Tap(captured, played, before, after)


def wait_until(page: Page, holds: Callable[[dict[str, Any]], bool], timeout_s: float = 20) -> dict[str, Any]:
    """Wait until a snapshot of the page fulfils a condition, and return that snapshot.

    Asks from here rather than in the page, where a content policy forbids evaluation.

    Raises:
        TimeoutError: it did not within `timeout_s`; the message has the last snapshot.
    """
    end = time.monotonic() + timeout_s
    while True:
        figures = snapshot(page)
        if holds(figures):
            return figures
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout_s} s; the page shows {figures}")
        page.wait_for_timeout(50)


def go_live(page: Page, url: str, *, timeout_s: float = 30) -> None:
    """Open the page, press Start and wait until sound comes back."""
    page.goto(url)
    page.click("#start:enabled")
    wait_until(page, lambda s: s["state"] == "live" and s["counters"]["frames_received"] > 50, timeout_s)
