"""What is to be sung, and when: notes, and lines of words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

LOWEST, HIGHEST = 24, 108  # MIDI numbers that a voice may have


class Kind(StrEnum):
    """How a note counts; the names are UltraStar's."""

    NORMAL = "normal"
    GOLDEN = "golden"  # twice
    FREESTYLE = "freestyle"  # not at all
    RAP = "rap"  # by its time, at any pitch
    RAP_GOLDEN = "rap_golden"


@dataclass(frozen=True)
class Note:
    """One note, in seconds from the start of the song."""

    start_s: float
    end_s: float
    pitch: int  # MIDI number: 69 is A4, 440 Hz
    kind: Kind = Kind.NORMAL


@dataclass(frozen=True)
class Word:
    """A word or a syllable; a space at its end means that a word ends there."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Line:
    """What is shown at a time; without words, a phrase of which only the notes are known."""

    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(word.text for word in self.words).strip()


@dataclass(frozen=True)
class Chart:
    """All that is sung in a song.

    Attributes:
        notes: in order, none over another.
        lines: in order.
        tags: what a file of lyrics says of the song: `title`, `artist`, `language`, …
    """

    notes: tuple[Note, ...] = ()
    lines: tuple[Line, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Seconds are rounded to a tenth of a millisecond."""
        document: dict[str, Any] = _rounded(asdict(self))
        return document

    @staticmethod
    def from_json(document: dict[str, Any]) -> Chart:
        """The inverse of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: it is not one.
        """
        return Chart(
            tuple(Note(n["start_s"], n["end_s"], n["pitch"], Kind(n["kind"])) for n in document["notes"]),
            tuple(
                Line(line["start_s"], line["end_s"], tuple(Word(**word) for word in line["words"]))
                for line in document["lines"]
            ),
            dict(document["tags"]),
        )

    def with_lyrics(self, lyrics: Chart) -> Chart:
        """This melody with the words of a file; its notes as well, where it has some."""
        return replace(lyrics, notes=lyrics.notes or self.notes, tags={**self.tags, **lyrics.tags})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value
