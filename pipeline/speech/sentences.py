"""A text in parts that are spoken one after the other, so that the first is heard before the last is made."""

from __future__ import annotations

import re

LONGEST = 220  # characters of a part: some 15 s
FIRST = 80  # of the first one, which somebody waits for
SHORTEST = 24  # what is shorter goes with its neighbour
ENDS = re.compile(r"(?<=[.!?…。！？।])[\"'”’»)\]]*\s+|\n+")
CLAUSES = re.compile(r"(?<=[,;:–—])\s+")


def parts(text: str) -> list[str]:
    """Split a text at ends of sentences, long sentences at clauses, and where there are none between words."""
    found: list[str] = []
    for sentence in ENDS.split(text):
        for piece in _within(sentence.strip(), LONGEST if found else FIRST, LONGEST):
            if found and (len(piece) < SHORTEST or len(found[-1]) < SHORTEST) and _fits(found, piece):
                found[-1] = f"{found[-1]} {piece}"
            elif any(c.isalnum() for c in piece):
                found.append(piece)
    return found


def _fits(found: list[str], piece: str) -> bool:
    return len(found[-1]) + len(piece) < (FIRST if len(found) == 1 else LONGEST)


def _within(sentence: str, first: int, longest: int) -> list[str]:
    """Pieces of at most `longest` characters, the first of at most `first` where a clause ends in time."""
    pieces = [sentence]
    while len(pieces[-1]) > (most := first if len(pieces) == 1 else longest):
        whole = pieces.pop()
        ends = [match.start() for match in CLAUSES.finditer(whole[:most])]
        if not ends and len(whole) <= longest:
            return [*pieces, whole]
        if not ends:
            ends = [match.start() for match in re.finditer(r"\s+", whole[: longest + 1])] or [longest]
        pieces += [whole[: ends[-1]].strip(), whole[ends[-1] :].strip()]
    return [piece for piece in pieces if piece]
