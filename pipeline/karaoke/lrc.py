"""LRC: lines of words, each with the time at which it is sung; enhanced LRC has a time for each word.

Source: the format that players have agreed on, `[mm:ss.xx]` before a line, `<mm:ss.xx>` before a word. Nothing
says when a line ends: at the next one, or after as long as words like these take.
"""

from __future__ import annotations

import re

from pipeline.karaoke.chart import Chart, Line, Word
from pipeline.karaoke.errors import BadLyrics

TAG = re.compile(r"\[([a-z#]+):(.*)\]\s*$", re.IGNORECASE)
STAMP = re.compile(r"\[(\d{1,3}):(\d{1,2}(?:[.:]\d{1,3})?)\]")
WORD_STAMP = re.compile(r"<(\d{1,3}):(\d{1,2}(?:[.:]\d{1,3})?)>")
NAMES = {"ti": "title", "ar": "artist", "al": "album", "la": "language"}
SECONDS_PER_LETTER = 0.12
LONGEST_LINE_S = 12.0
LAST_WORD_S = 0.6  # at least


def looks_like(text: str) -> bool:
    """Whether some line begins with a time."""
    return any(STAMP.match(line.strip()) for line in text.splitlines())


def read(text: str) -> Chart:
    """Read lines of words.

    Raises:
        BadLyrics: no line has a time.
    """
    tags, timed = _timed(text)
    timed.sort(key=lambda one: one[0])
    lines = []
    for index, (start_s, words) in enumerate(timed):
        if words.strip():
            following = timed[index + 1][0] if index + 1 < len(timed) else float("inf")
            lines.append(_line(start_s, words, following))
    if not lines:
        raise BadLyrics("no line of the lyrics has a time before it")
    return Chart((), tuple(line for line in lines if line.end_s > line.start_s), tags)


def _timed(text: str) -> tuple[dict[str, str], list[tuple[float, str]]]:
    """The tags, and (start, words) for each time before each line; an offset counts from where it stands."""
    tags: dict[str, str] = {}
    offset_s = 0.0
    timed: list[tuple[float, str]] = []
    for raw in text.splitlines():
        rest, starts = raw.strip(), []
        while stamp := STAMP.match(rest):
            starts.append(_seconds(stamp))
            rest = rest[stamp.end() :].lstrip()
        if not starts and (tag := TAG.match(rest)):
            name, value = tag[1].lower(), tag[2].strip()
            if name == "offset" and re.fullmatch(r"[+-]?\d{1,7}", value):
                offset_s = int(value) / 1000  # positive is sooner
            elif name in NAMES and value:
                tags[NAMES[name]] = value[:200]
        timed += [(max(0.0, start - offset_s), rest) for start in starts]
    return tags, timed


def _seconds(stamp: re.Match[str]) -> float:
    return 60.0 * int(stamp[1]) + float(stamp[2].replace(":", "."))


def _line(start_s: float, text: str, following_s: float) -> Line:
    """One line; words without times of their own share its time by their letters."""
    plain = WORD_STAMP.sub("", text)
    likely_s = min(LONGEST_LINE_S, max(LAST_WORD_S, SECONDS_PER_LETTER * len(plain)))
    end_s = min(following_s, start_s + likely_s)
    marks = list(WORD_STAMP.finditer(text))
    if not marks:
        return Line(start_s, end_s, _shared(plain, start_s, end_s))
    words = []
    if before := text[: marks[0].start()].strip():
        words.append(Word(start_s, _seconds(marks[0]), f"{before} "))
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        part = text[mark.end() : after.start() if after else None]
        from_s = _seconds(mark)
        to_s = _seconds(after) if after else min(following_s, from_s + LAST_WORD_S)
        if part.strip() and to_s > from_s:
            words.append(Word(from_s, to_s, part.lstrip()))
    return Line(start_s, max([start_s, *(word.end_s for word in words)]), tuple(words))


def _shared(text: str, start_s: float, end_s: float) -> tuple[Word, ...]:
    pieces = [f"{word} " for word in text.split()]
    total, at, words = sum(map(len, pieces)), 0, []
    for piece in pieces:
        from_s = start_s + (end_s - start_s) * at / total
        at += len(piece)
        words.append(Word(from_s, start_s + (end_s - start_s) * at / total, piece))
    return tuple(words)
