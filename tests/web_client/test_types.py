"""The types of the page hold under `tsc --strict`, and it keeps to what a strict content policy allows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

WEB_CLIENT = Path(__file__).resolve().parents[2] / "web_client"
PAGES = ("index.html", "song.html", "karaoke.html")
ROOMS = {"/", "/song", "/karaoke"}  # the pages' own addresses


def test_types_hold(tsc: list[str]) -> None:
    done = subprocess.run(
        [*tsc, "-p", str(WEB_CLIENT / "jsconfig.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_inline_scripts_or_styles_and_nothing_from_elsewhere() -> None:
    for page in PAGES:
        html = (WEB_CLIENT / page).read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", html)
        assert not re.search(r"<style|\sstyle=|\son\w+=", html)
    for file in WEB_CLIENT.rglob("*"):
        if file.suffix in {".html", ".js", ".css"}:
            links = re.findall(
                r"""(?:src|href|url\(|from |import\()\s*=?\s*["']?https?://[^"') ]+""", file.read_text()
            )
            assert not links, f"{file.name} loads {links}"


def test_one_module_asks_for_the_output_s_latency() -> None:
    asking = re.compile(r"\.outputLatency\b|getOutputTimestamp|\.baseLatency")
    files = [file.name for file in WEB_CLIENT.rglob("*.js") if asking.search(file.read_text())]
    assert files == ["output-latency.js"]


@pytest.mark.parametrize("page", PAGES)
def test_every_control_has_a_label(page: str) -> None:
    html = (WEB_CLIENT / page).read_text()
    for tag in re.findall(r"<(?:input|select)\b[^>]*>", html):
        identity = re.search(r'id="([^"]+)"', tag)
        assert identity, tag
        assert f'for="{identity[1]}"' in html or "aria-label=" in tag, tag


@pytest.mark.parametrize("page", PAGES)
def test_modules_are_found_by_absolute_paths(page: str) -> None:
    html = (WEB_CLIENT / page).read_text()
    paths = set(re.findall(r'(?:src|href)="(/[^"]*)"', html))
    assert paths > ROOMS
    paths -= ROOMS
    for path in paths:
        assert path.startswith("/client/")
        assert (WEB_CLIENT / Path(path).relative_to("/client")).is_file(), path
