"""Texts in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.speech.sentences import FIRST, LONGEST, parts


def test_sentences_are_parts() -> None:
    text = "The first sentence is said at once. The second is not as short as that! And is this the third one?"
    assert parts(text) == [
        "The first sentence is said at once.",
        "The second is not as short as that!",
        "And is this the third one?",
    ]


def test_short_ones_go_together() -> None:
    assert parts("No. Yes. Maybe so. I do not know it.") == ["No. Yes. Maybe so. I do not know it."]


def test_the_first_part_is_short_where_a_clause_allows() -> None:
    text = "When the evening comes and the lights go on, " + "we sing the songs that everybody knows " * 4
    first, *rest = parts(text)
    assert first == "When the evening comes and the lights go on,"
    assert " ".join([first, *rest]) == text.strip()


def test_a_sentence_without_an_end_is_cut_between_words() -> None:
    found = parts("word " * 200)
    assert len(found) > 3
    assert all(set(part.split()) == {"word"} for part in found)


def test_lines_are_sentences_and_other_scripts_have_ends_too() -> None:
    assert len(parts("A first line that is long enough\nand a second line that is, too")) == 2
    assert len(parts("यह पहला वाक्य है जो काफी लंबा है। और यह दूसरा वाक्य है जो लंबा है।")) == 2


@pytest.mark.parametrize("text", ["", "  ", "... !!! ---", "\n\n"])
def test_nothing_to_say(text: str) -> None:
    assert parts(text) == []


@given(st.text(st.characters(codec="utf-8"), max_size=1500))
def test_no_letter_is_lost_and_no_part_too_long(text: str) -> None:
    found = parts(text)
    assert [c for c in "".join(found) if c.isalnum()] == [c for c in text if c.isalnum()]
    assert all(len(part) <= LONGEST for part in found)
    assert FIRST < LONGEST
