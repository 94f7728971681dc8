import pytest

from pipeline.karaoke import lrc
from pipeline.karaoke.errors import BadLyrics

SONG = """[ti:Test]
[ar: Nobody ]
[00:10.00]Two words
[00:12.50]
[00:20.25][01:00.00]Again and again
"""


def test_lines_are_in_the_order_of_their_times_and_share_them_by_letters() -> None:
    chart = lrc.read(SONG)
    assert chart.tags == {"title": "Test", "artist": "Nobody"}
    assert [(line.start_s, line.text) for line in chart.lines] == [
        (10.0, "Two words"),
        (20.25, "Again and again"),
        (60.0, "Again and again"),
    ]
    first = chart.lines[0]
    assert [word.text for word in first.words] == ["Two ", "words "]
    assert first.words[0].end_s == first.words[1].start_s
    assert first.end_s <= 12.5


def test_words_have_their_own_times_in_enhanced_files() -> None:
    chart = lrc.read("[00:01.00]<00:01.00>Sing <00:01.50>it <00:02.00>")
    assert [(w.start_s, w.end_s, w.text) for w in chart.lines[0].words] == [
        (1.0, 1.5, "Sing "),
        (1.5, 2.0, "it "),
    ]


def test_an_offset_is_sooner() -> None:
    assert lrc.read("[offset:+500]\n[00:10.00]la").lines[0].start_s == 9.5
    assert lrc.read("[offset:-500]\n[00:10.00]la").lines[0].start_s == 10.5


@pytest.mark.parametrize("stamp", ["[1:02.5]", "[01:02.50]", "[01:02:500]", "[01:2.500]"])
def test_times_are_written_in_several_ways(stamp: str) -> None:
    assert lrc.read(f"{stamp}la").lines[0].start_s == 62.5


@pytest.mark.parametrize("text", ["", "la la la", "[ti:only a title]", "[00:01.00]", "[aa:bb.cc]la"])
def test_without_a_timed_line_there_are_no_lyrics(text: str) -> None:
    with pytest.raises(BadLyrics, match="time"):
        lrc.read(text)
