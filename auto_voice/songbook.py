"""What is kept of a stage beside its tracks: the melody that was found, the lyrics that somebody brought."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from auto_voice.jobs.stage import CHART
from pipeline.karaoke import lrc, ultrastar
from pipeline.karaoke.chart import Chart
from pipeline.karaoke.errors import BadLyrics

LYRICS = "lyrics.txt"
MOST_BYTES = 512 * 1024


class Songbook:
    """The charts of one stage.

    Args:
        folder: of its job.
    """

    def __init__(self, folder: Path) -> None:
        self._melody = folder / "result" / CHART
        self._lyrics = folder / LYRICS

    def parts(self) -> tuple[Chart, ...]:
        """What is sung, by one singer or two: the melody, and what the lyrics say of it."""
        melody = Chart.from_json(json.loads(self._melody.read_text()))
        lyrics = self.lyrics()
        return tuple(melody.with_lyrics(part) for part in lyrics) if lyrics else (melody,)

    def lyrics(self) -> tuple[Chart, ...]:
        """The lyrics that were brought; empty where none were."""
        try:
            text = self._lyrics.read_text("utf-8")
        except FileNotFoundError:
            return ()
        return read_lyrics(text)

    def bring(self, content: bytes) -> None:
        """Keep a file of lyrics in place of any other.

        Raises:
            BadLyrics: it is none that is known.
        """
        text = decoded(content)
        read_lyrics(text)
        aside = self._lyrics.with_suffix(".new")
        aside.write_text(text, "utf-8")
        aside.replace(self._lyrics)

    def take_away(self) -> None:
        """The melody alone, as it was found."""
        self._lyrics.unlink(missing_ok=True)


def read_lyrics(text: str) -> tuple[Chart, ...]:
    """Read LRC or UltraStar, whichever it is.

    Raises:
        BadLyrics: neither.
    """
    if ultrastar.looks_like(text):
        return ultrastar.read(text)
    if lrc.looks_like(text):
        return (lrc.read(text),)
    raise BadLyrics("this is neither an LRC nor an UltraStar file")


def decoded(content: bytes) -> str:
    """Text as files of lyrics have it: UTF-8, UTF-16 with its mark, else Windows-1252.

    Raises:
        BadLyrics: larger than any lyrics, or not text.
    """
    if len(content) > MOST_BYTES:
        raise BadLyrics(f"the lyrics are over {MOST_BYTES // 1024} kB")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", "replace")
    if "\0" in text:
        raise BadLyrics("the lyrics are not text")
    return text


def copy_upload(source: Path, target: Path) -> None:
    """A second name for an uploaded song, or a copy where the disk has no such names."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
