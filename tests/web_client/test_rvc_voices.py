"""RVC voices on the page: brought, changed, heard, sung with beside voices of another kind, deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from bench.page import snapshot, wait_until
from bench.service import Service
from bench.untrained import write_content_vec
from pipeline.content_vec.names import Sizes
from tests.auto_voice.test_pictures import encoded, picture
from tests.checkpoints import write
from tests.pipeline.converters.rvc.indices import make
from tests.web_client.conftest import Launch

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Service]:
    """A server that has no weights at first."""
    service = Service(tmp_path_factory.mktemp("studio"), capacity=2)
    service.environment["AUTOVOICE_STORAGE__DATA_DIR"] = str(models.parent / "data")
    service.environment["AUTOVOICE_STORAGE__MODELS_DIR"] = str(models)
    service.environment["AUTOVOICE_LIVE__RVC__SLOWEST"] = "0"  # whatever else the machine does
    with service as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "added_ann.index").write_bytes(make(dims=768).bytes())
    (tmp_path / "ann.png").write_bytes(encoded("png", picture()))
    write(tmp_path / "Ann.pth")
    return [str(tmp_path / name) for name in ("Ann.pth", "added_ann.index", "ann.png")]


def bring(page: Page, files: list[str]) -> None:
    page.click("#bring summary")
    page.set_input_files("#rvc-files", files)
    page.check("#rvc-consent")
    page.click("#rvc-submit")
    page.wait_for_selector("#rvc-result:has-text('is here and picked')", timeout=100_000)


def test_from_a_file_to_a_song_and_back(
    launch: Launch, open_page: Callable[..., Page], studio: Service, models: Path, files: list[str]
) -> None:
    page = open_page(
        launch(), strict=False
    )  # a voice that is not ready is answered 503, and the console says so
    page.goto(f"{studio.url}/?latency=interactive&transport=websocket")
    page.wait_for_selector("#phrase:enabled")
    bring(page, files)
    assert page.locator(".voice:has(:checked) .voice-name").inner_text() == "Ann"
    assert page.locator(".voice:has(:checked) .voice-needs code").inner_text() == "autovoice weights contentvec"
    assert (
        page.locator(".voice:has(:checked) img").evaluate("(image) => image.complete && image.naturalWidth")
        == 256
    )
    assert page.locator("#blend").is_hidden()

    page.click("#phrase")
    page.wait_for_selector("#failure[data-code=voice_not_ready]")
    assert "autovoice weights contentvec" in page.locator("#failure-advice").inner_text()
    write_content_vec(models / "contentvec", Sizes(channels=(8,) * 7, inner=8, position_kernel=8))
    page.reload()
    page.wait_for_selector("#phrase:enabled")
    assert page.locator(".voice-needs").count() == 0

    page.click("[aria-label='Edit the voice Ann']")
    page.fill("#voice-name", "Anna")
    page.fill("#voice-pitch_semitones", "12")
    page.fill("#voice-median", "220")
    page.click("#voice-hear")
    page.wait_for_selector("#voice-player:visible", timeout=100_000)
    assert page.locator("#voice-player").evaluate(
        "(player) => new Promise((know) => { const wait = setInterval(() => {"
        "if (player.duration) { clearInterval(wait); know(player.duration); } }, 50); })"
    ) == pytest.approx(7.7, abs=0.5)
    page.click(".voice-face .quiet")
    page.wait_for_selector("#voice-result:has-text('The picture is gone.')")
    page.keyboard.press("Escape")
    assert page.locator("#voice-dialog").is_hidden()
    assert page.locator(".voice:has(:checked) .voice-name").inner_text() == "Anna"
    assert page.locator(".voice img").count() == 0

    page.click("#phrase")
    wait_until(page, lambda shown: shown["state"] == "live" and shown["converter"] == "rvc", 60)
    first = snapshot(page)["session"]
    page.check("#voice-aria")
    wait_until(page, lambda shown: shown["state"] == "live" and shown["converter"] == "native", 60)
    assert snapshot(page)["session"] != first
    assert page.locator("#blend").is_visible()
    options = page.locator("#blend-voice option").all_inner_texts()
    assert "Anna" not in options
    assert "Otto" in options
    page.check(".voice:has-text('Anna') input")
    wait_until(page, lambda shown: shown["state"] == "live" and shown["converter"] == "rvc", 60)
    page.click("#start")

    button = page.locator("[aria-label='Delete the voice Anna']")
    button.click()
    page.click("[aria-label='Really delete the voice Anna?']")
    page.wait_for_selector("#voices:not(:has-text('Anna'))")


def test_two_voices_are_merged(
    launch: Launch, open_page: Callable[..., Page], studio: Service, tmp_path: Path
) -> None:
    page = open_page(launch())
    page.goto(studio.url)
    page.wait_for_selector("#voices input")
    for seed, name in enumerate(("Bea", "Cid")):
        assert page.locator("#merge").is_hidden()
        bring(page, [str(write(tmp_path / f"{name}.pth", seed=seed))])
        page.click("#bring summary")
    page.click("#merge summary")
    page.select_option("#merge-second", label="Bea")
    assert page.locator("#merge-submit").is_disabled()  # a voice and itself
    page.select_option("#merge-second", label="Cid")
    page.fill("#merge-share", "30")
    page.fill("#merge-name", "Both")
    page.click("#merge-submit")
    page.wait_for_selector("#merge-result:has-text('is here and picked')", timeout=60_000)
    assert page.locator(".voice:has(:checked) .voice-name").inner_text() == "Both"
    for name in ("Both", "Bea", "Cid"):
        page.click(f"[aria-label='Delete the voice {name}']")
        page.click(f"[aria-label='Really delete the voice {name}?']")
        page.wait_for_selector(f"#voices:not(:has-text('{name}'))")
    assert page.locator("#merge").is_hidden()


def test_what_is_no_voice_is_refused_on_the_page(
    launch: Launch, open_page: Callable[..., Page], studio: Service, tmp_path: Path
) -> None:
    page = open_page(launch(), strict=False, viewport={"width": 390, "height": 844})
    page.goto(studio.url)
    page.wait_for_selector("#voices input")
    page.click("#bring summary")
    assert page.locator("#rvc-submit").is_disabled()
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    (tmp_path / "broken.pth").write_bytes(b"PK\x03\x04" + bytes(1000))
    page.set_input_files("#rvc-files", [str(tmp_path / "song.mp3"), str(tmp_path / "broken.pth")])
    assert "song.mp3" in page.locator("#rvc-result").inner_text()
    page.check("#rvc-consent")
    page.click("#rvc-submit")
    page.wait_for_selector("#rvc-result.bad:has-text('damaged')")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_files_find_their_fields_by_their_names(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { sortFiles } = await import('/client/js/rvc-form.js');
          const names = ['a.INDEX', 'b.pth', 'c.pth', 'd.webp', 'e.txt'];
          const { found, strange } = sortFiles(names.map((name) => new File(['x'], name)));
          return [found.model.name, found.index.name, found.picture.name, ...strange];
        }"""
    )
    assert found == ["b.pth", "a.INDEX", "d.webp", "c.pth", "e.txt"]
