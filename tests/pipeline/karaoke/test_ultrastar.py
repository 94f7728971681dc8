import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.karaoke import ultrastar
from pipeline.karaoke.chart import Chart, Kind, Line, Note, Word
from pipeline.karaoke.errors import BadLyrics

SONG = """#TITLE:Test
#ARTIST:Nobody
#BPM:300,0
#GAP:1000
: 0 4 0 Hel
: 4 4 2 lo
* 8 8 4  wor
: 16 4 4 ~
F 20 2 5 ld
- 24
R 40 4 0 rap
G 44 4 0  it
E
"""


def test_beats_become_seconds_and_syllables_words() -> None:
    (chart,) = ultrastar.read(SONG)
    assert chart.tags["title"] == "Test"
    assert chart.notes[0] == Note(1.0, 1.2, 60)
    assert chart.notes[2] == Note(pytest.approx(1.4), pytest.approx(1.8), 64, Kind.GOLDEN)
    assert [note.kind.value for note in chart.notes[-2:]] == ["rap", "rap_golden"]
    assert [line.text for line in chart.lines] == ["Hello world", "rap it"]
    held = chart.lines[0].words[2]
    assert (held.text, held.end_s) == ("wor", pytest.approx(2.0))  # goes on over its tilde
    assert chart.lines[1].start_s == 3.0


def test_what_is_read_is_written_and_read_again() -> None:
    (chart,) = ultrastar.read(SONG)
    assert ultrastar.read(ultrastar.write((chart,))) == (chart,)


def test_a_duet_has_two_parts() -> None:
    header = "#TITLE:Duet\n#ARTIST:Two\n#BPM:300\n"
    duet = f"{header}P1\n: 0 4 0 one\n- 8\n: 10 4 0 more \nP2\n: 4 4 0 two\nP3\n: 20 4 0 both\nE"
    first, second = ultrastar.read(duet)
    assert [line.text for line in first.lines] == ["one", "more both"]
    assert [note.start_s for note in second.notes] == pytest.approx([0.2, 1.0])
    assert ultrastar.read(ultrastar.write((first, second))) == (first, second)


def test_a_relative_file_counts_from_its_breaks() -> None:
    (chart,) = ultrastar.read("#BPM:300\n#RELATIVE:YES\n: 0 4 0 a\n- 10 10\n: 2 4 0 b\nE")
    assert [note.start_s for note in chart.notes] == pytest.approx([0.0, 0.6])


def test_the_tempo_may_change() -> None:
    (chart,) = ultrastar.read("#BPM:300\n: 0 4 0 a\nB 10 150\n: 12 2 0 b\nE")
    assert (chart.notes[1].start_s, chart.notes[1].end_s) == pytest.approx((0.7, 0.9))


def test_notes_never_overlap() -> None:
    (chart,) = ultrastar.read("#BPM:300\n: 0 40 0 a\n: 4 4 0 b\nE")
    assert [note.start_s for note in chart.notes] == pytest.approx([0, 0.2])
    assert [note.end_s for note in chart.notes] == pytest.approx([0.2, 0.4])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (": 0 4 0 a\nE", "#BPM"),
        ("#BPM:0\n: 0 4 0 a", "tempo"),
        ("#BPM:fast\n: 0 4 0 a", "not a number"),
        ("#BPM:nan\n: 0 4 0 a", "not a number"),
        ("#BPM:300\n#GAP:soon\n: 0 4 0 a", "#GAP"),
        ("#BPM:300\n", "no notes"),
        ("#BPM:300\n: 0 4\n", "line 2"),
        ("#BPM:300\n\n? 0 4 0 a", "line 3"),
        ("#BPM:300\n: 9999999 4 0 a", "beyond"),
        ("#BPM:300\n: -400 4 0 a", "before the song"),
    ],
)
def test_what_is_wrong_is_named(text: str, what: str) -> None:
    with pytest.raises(BadLyrics, match=what):
        ultrastar.read(text)


@given(st.text(max_size=300))
def test_rubbish_is_refused_and_never_fails(text: str) -> None:
    for rubbish in (text, f"#BPM:300\n{text}"):
        with contextlib.suppress(BadLyrics):
            ultrastar.read(rubbish)


@given(
    st.lists(
        st.tuples(st.floats(0.05, 2), st.floats(0.05, 2), st.integers(40, 80), st.sampled_from(list(Kind))),
        min_size=1,
        max_size=30,
    ),
    st.none() | st.floats(40, 240),
)
def test_a_melody_survives_being_written_to_half_a_beat(
    parts: list[tuple[float, float, int, Kind]], tempo_bpm: float | None
) -> None:
    notes, at = [], 0.0
    for rest, length, pitch, kind in parts:
        notes.append(Note(at + rest, at + rest + length, pitch, kind))
        at += rest + length
    (chart,) = ultrastar.read(ultrastar.write((Chart(tuple(notes)),), tempo_bpm))
    assert [(note.pitch, note.kind) for note in chart.notes] == [(note.pitch, note.kind) for note in notes]
    for found, note in zip(chart.notes, notes, strict=True):
        assert found.start_s == pytest.approx(note.start_s, abs=0.04)
        assert found.end_s == pytest.approx(note.end_s, abs=0.04)


def test_words_without_a_note_are_kept_as_free_ones() -> None:
    words = (Word(1.0, 1.5, "spoken "), Word(2.0, 2.5, "sung"))
    (chart,) = ultrastar.read(ultrastar.write((Chart((Note(2.0, 2.5, 62),), (Line(1.0, 2.5, words),)),)))
    assert [line.text for line in chart.lines] == ["spoken sung"]
    assert [note.kind for note in chart.notes] == [Kind.FREESTYLE, Kind.NORMAL]
