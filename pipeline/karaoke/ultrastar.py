"""UltraStar's .txt: notes with their syllables, in beats; read and written.

Source: the UltraStar song file format, https://usdx.eu/format/. A beat is a quarter of what `#BPM` counts,
pitch 0 is C4, `#GAP` is where beat 0 lies, in milliseconds.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace

from pipeline.karaoke.chart import HIGHEST, LOWEST, Chart, Kind, Line, Note, Word
from pipeline.karaoke.errors import BadLyrics

SIGNS = {
    ":": Kind.NORMAL,
    "*": Kind.GOLDEN,
    "F": Kind.FREESTYLE,
    "R": Kind.RAP,
    "G": Kind.RAP_GOLDEN,
}
MIDDLE_C = 60
MOST_NOTES = 20_000
LONGEST_S = 7200.0
TAGS = ("title", "artist", "language", "genre", "year", "creator", "bpm", "gap")
HEADER = re.compile(r"#([A-Za-z0-9_]+):(.*)$")
NOTE = re.compile(r"([:*FRG])\s+(-?\d{1,7})\s+(\d{1,6})\s+(-?\d{1,3})(?: (.*))?$")
BREAK = re.compile(r"-\s*(-?\d{1,7})(?:\s+(-?\d{1,7}))?\s*$")
TEMPO = re.compile(r"B\s+(-?\d{1,7}(?:[.,]\d+)?)\s+(\d{1,5}(?:[.,]\d+)?)\s*$")
MAIN_SHARE = 0.3  # of the longest overlap of a word with a note: the first with so much gets the word
FINE_BPM = 400.0  # written files count at least so fast: half a beat is 19 ms


@dataclass
class _Clock:
    """When a beat is."""

    gap_s: float
    beats: list[float] = field(default_factory=list)  # at which the tempo changes
    starts_s: list[float] = field(default_factory=list)  # of these, after the gap
    beat_s: list[float] = field(default_factory=list)

    def change(self, beat: float, bpm: float) -> None:
        if not 1 <= bpm <= 10_000:
            raise BadLyrics(f"a tempo of {bpm:g} beats a minute is none")
        start = self.seconds(beat) - self.gap_s if self.beats else 0.0
        self.beats.append(beat)
        self.starts_s.append(start)
        self.beat_s.append(15 / bpm)

    def seconds(self, beat: float) -> float:
        at = max(0, bisect_right(self.beats, beat) - 1)
        return self.gap_s + self.starts_s[at] + (beat - self.beats[at]) * self.beat_s[at]


@dataclass
class _Part:
    """What one singer has, while it is read."""

    notes: list[Note] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)  # of the line at hand
    origin: int = 0  # the beat that a relative file counts from
    until_s: float = 0.0  # the end of the last note of the line at hand

    def end_line(self) -> None:
        if self.words:
            end_s = max(self.until_s, self.words[-1].end_s)
            self.lines.append(Line(self.words[0].start_s, end_s, tuple(self.words)))
        self.words = []


def looks_like(text: str) -> bool:
    """Whether it has UltraStar's header."""
    return any(line.strip().upper().startswith("#BPM:") for line in text.splitlines())


def read(text: str) -> tuple[Chart, ...]:
    """Read a song; two parts of a duet.

    Raises:
        BadLyrics: with the line that cannot be understood.
    """
    tags = _header(text)
    clock = _Clock(_number(tags.get("gap", "0"), "#GAP") / 1000)
    if "bpm" not in tags:
        raise BadLyrics("the UltraStar file has no #BPM")
    clock.change(0, _number(tags["bpm"], "#BPM"))
    relative = tags.get("relative", "").lower() == "yes"
    parts: dict[int, _Part] = {}
    singing: tuple[int, ...] = (1,)  # P3 is both
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if bare == "E":
            break
        if re.fullmatch(r"P\s*[123]", bare):
            singing = (1, 2) if bare[-1] == "3" else (int(bare[-1]),)
            continue
        for singer in singing:
            _take(line.lstrip(), parts.setdefault(singer, _Part()), clock, relative, number)
    known = {name: tags[name][:200] for name in TAGS if tags.get(name)}
    found = []
    for _, part in sorted(parts.items()):
        part.end_line()
        if part.notes:
            found.append(Chart(_in_order(part.notes), tuple(part.lines), known))
    if not found:
        raise BadLyrics("the UltraStar file has no notes")
    return tuple(found)


def _header(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for line in text.lstrip("\ufeff").splitlines():
        if match := HEADER.match(line.strip()):
            tags.setdefault(match[1].lower(), match[2].strip())
    return tags


def _number(text: str, name: str) -> float:
    try:
        value = float(text.replace(",", ".") or 0)
    except ValueError:
        value = math.nan
    if not abs(value) <= 1e7:
        raise BadLyrics(f"{name} is {text[:40]!r}, not a number")
    return value


def _take(line: str, part: _Part, clock: _Clock, relative: bool, number: int) -> None:
    """Take in one line of the body."""
    if match := NOTE.match(line.rstrip("\r\n")):
        _take_note(match, part, clock, number)
    elif match := BREAK.match(line):
        part.end_line()
        if relative:
            part.origin += int(match[2] if match[2] is not None else match[1])
    elif match := TEMPO.match(line):
        beat = _number(match[1], "a beat") + part.origin
        if beat > clock.beats[-1]:  # once for both singers
            clock.change(beat, _number(match[2], "a tempo"))
    else:
        raise BadLyrics(f"line {number} of the UltraStar file is {line.strip()[:60]!r}, which is no note")


def _take_note(match: re.Match[str], part: _Part, clock: _Clock, number: int) -> None:
    sign, beat, length, pitch, text = match.groups(default="")
    first = part.origin + int(beat)
    start_s, end_s = clock.seconds(first), clock.seconds(first + max(1, int(length)))
    if end_s > LONGEST_S or len(part.notes) >= MOST_NOTES:
        raise BadLyrics(f"line {number} of the UltraStar file lies beyond any song")
    if end_s <= 0:
        raise BadLyrics(f"line {number} of the UltraStar file lies before the song begins")
    start_s = max(0.0, start_s)
    midi = min(max(MIDDLE_C + int(pitch), LOWEST), HIGHEST)
    part.notes.append(Note(start_s, end_s, midi, SIGNS[sign]))
    part.until_s = end_s
    if text[:1] == " " and part.words and not part.words[-1].text.endswith(" "):
        last = part.words.pop()
        part.words.append(Word(last.start_s, last.end_s, f"{last.text} "))
    syllable = text.lstrip(" ")
    if syllable.strip() == "~" and part.words:  # the syllable before goes on
        last = part.words.pop()
        space = " " if syllable.endswith(" ") and not last.text.endswith(" ") else ""
        part.words.append(Word(last.start_s, end_s, last.text + space))
    elif syllable.strip():
        part.words.append(Word(start_s, end_s, syllable[:200]))


def _in_order(notes: list[Note]) -> tuple[Note, ...]:
    """Sorted, and each ended where the next begins."""
    notes = sorted(notes, key=lambda note: note.start_s)
    kept: list[Note] = []
    for note, following in zip(notes, [*notes[1:], None], strict=True):
        end_s = note.end_s if following is None else min(note.end_s, following.start_s)
        if end_s > note.start_s:
            kept.append(Note(note.start_s, end_s, note.pitch, note.kind))
    return tuple(kept)


def write(parts: tuple[Chart, ...], tempo_bpm: float | None = None) -> str:
    """Write a song of one or two parts.

    Args:
        parts: of the singers; what is read from a file is written in the beats of that file.
        tempo_bpm: of the song, for a melody that has no beats yet.
    """
    tags = dict(parts[0].tags)
    if "bpm" not in tags:
        tempo = tempo_bpm if tempo_bpm and 20 <= tempo_bpm <= 400 else 120.0
        while tempo < FINE_BPM:
            tempo *= 2
        first = min((note.start_s for part in parts for note in part.notes), default=0.0)
        tags |= {"bpm": f"{tempo:.3f}", "gap": f"{1000 * first:.0f}"}
    beat_s, gap_s = 15 / _number(tags["bpm"], "#BPM"), _number(tags.get("gap", "0"), "#GAP") / 1000
    header = {"title": "Unknown", "artist": "Unknown", **tags}
    text = [f"#{name.upper()}:{' '.join(header[name].split())}" for name in TAGS if name in header]
    for index, part in enumerate(map(_with_notes_for_all_words, parts), 1):
        text += [f"P{index}"] if len(parts) > 1 else []
        text += _body(part, gap_s, beat_s)
    return "\n".join([*text, "E", ""])


def _with_notes_for_all_words(part: Chart) -> Chart:
    """A word that is sung to no note gets a free one, so that nothing is lost."""
    starts, ends = [note.start_s for note in part.notes], [note.end_s for note in part.notes]
    free = [
        Note(word.start_s, word.end_s, MIDDLE_C, Kind.FREESTYLE)
        for line in part.lines
        for word in line.words
        if bisect_right(ends, word.start_s) == bisect_left(starts, word.end_s)
    ]
    return replace(part, notes=_in_order([*part.notes, *free]))


def _body(part: Chart, gap_s: float, beat_s: float) -> list[str]:
    """The notes and the breaks between lines; each word at the note that it shares the most time with."""
    signs = {kind: sign for sign, kind in SIGNS.items()}
    syllables = _syllables(part)
    ends = [line.end_s for line in part.lines[:-1]]
    body: list[str] = []
    broken = 0
    free = -math.inf  # the first beat that is
    for note, syllable in zip(part.notes, syllables, strict=True):
        first = round((note.start_s - gap_s) / beat_s)
        first = first if first >= free else int(free)
        length = max(1, round((note.end_s - gap_s) / beat_s) - first)
        passed = bisect_right(ends, note.start_s + 1e-3)
        if passed > broken and body:
            body.append(f"- {first}")
        broken, free = passed, first + length
        body.append(f"{signs[note.kind]} {first} {length} {note.pitch - MIDDLE_C} {syllable}")
    return body


def _syllables(part: Chart) -> list[str]:
    starts, ends = [note.start_s for note in part.notes], [note.end_s for note in part.notes]
    texts: list[list[str]] = [[] for _ in part.notes]
    for word in (word for line in part.lines for word in line.words):
        near = range(bisect_right(ends, word.start_s), bisect_left(starts, word.end_s))
        shared = {i: min(ends[i], word.end_s) - max(starts[i], word.start_s) for i in near}
        if shared:
            most = max(shared.values())
            texts[next(i for i in near if shared[i] >= MAIN_SHARE * most)].append(word.text)
    return ["".join(text) or "~" for text in texts]
