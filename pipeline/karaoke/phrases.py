"""Sections of singing: notes that belong together, between rests."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.karaoke.chart import Line, Note

REST_S = 0.6  # between two phrases
LONGEST_S = 10.0  # a longer one is divided at its longest rest
LEAST_NOTES = 3  # on each side of such a division


def phrases(notes: Sequence[Note]) -> tuple[Line, ...]:
    """The phrases of a melody, as lines without words."""
    found: list[list[Note]] = []
    for note in notes:
        if found and note.start_s - found[-1][-1].end_s < REST_S:
            found[-1].append(note)
        else:
            found.append([note])
    short = [part for phrase in found for part in _divided(phrase)]
    return tuple(Line(phrase[0].start_s, phrase[-1].end_s) for phrase in short)


def _divided(phrase: list[Note]) -> list[list[Note]]:
    places = range(LEAST_NOTES, len(phrase) - LEAST_NOTES + 1)
    if phrase[-1].end_s - phrase[0].start_s <= LONGEST_S or not places:
        return [phrase]
    at = max(places, key=lambda i: phrase[i].start_s - phrase[i - 1].end_s)
    return _divided(phrase[:at]) + _divided(phrase[at:])
