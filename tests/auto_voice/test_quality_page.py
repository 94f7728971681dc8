"""The page of figures about songs."""

from __future__ import annotations

from html.parser import HTMLParser

from auto_voice.jobs.model import Job, Status
from auto_voice.quality_page import page


def job(name: str, rmse_hz: float | None, likeness: float | None) -> Job:
    quality = {
        "pitch_accuracy": None if rmse_hz is None else {"rmse_hz": rmse_hz},
        "speaker_similarity": {"cosine_similarity": likeness},
    }
    parameters = {"song_name": name, "request": {"voice_id": "aria"}}
    return Job(
        "conv-1",
        "song",
        None,
        Status.COMPLETED,
        parameters,
        0.0,
        result={"quality_metrics": quality},
        finished_at=0.0,
    )


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.missed: list[str] = []
        self._misses = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._misses = ("class", "miss") in attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._misses:
            self.missed.append(data)
            self._misses = False


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    return reader


def test_figures_and_what_misses_its_target() -> None:
    found = read(
        page([job("b.mp3", 4.0, 0.91), job("a.mp3", 25.0, 0.7), job("c.mp3", None, None)], {"completed": 3})
    )
    assert found.missed == ["25", "0.7"]
    assert found.tags.count("svg") == 2
    assert found.tags.count("circle") == 4
    assert found.text.count("not measured") == 2
    assert any("1 of 2 miss the target 10 Hz RMSE" in text for text in found.text)


def test_what_users_wrote_is_text() -> None:
    found = read(page([job("<script>alert(1)</script>.mp3", 1.0, 0.9)], {}))
    assert "script" not in found.tags
    assert "<script>alert(1)</script>.mp3" in found.text


def test_no_song_yet() -> None:
    assert "No song has been converted yet." in read(page([], {})).text
