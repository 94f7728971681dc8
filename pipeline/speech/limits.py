"""What may be asked for at once."""

from __future__ import annotations

from pipeline.speech.errors import NothingToSay, TextTooLong

LONGEST_TEXT = 5000  # characters
SPEEDS = (0.5, 2.0)
PITCHES = (-12.0, 12.0)  # semitones


def check_text(text: str) -> str:
    """The text without space around it.

    Raises:
        NothingToSay: no letter or digit in it.
        TextTooLong: more than LONGEST_TEXT characters.
    """
    text = text.strip()
    if len(text) > LONGEST_TEXT:
        raise TextTooLong(
            f"the text has {len(text)} characters, at most {LONGEST_TEXT} are spoken at once",
            "send it in parts",
        )
    if not any(c.isalnum() for c in text):
        raise NothingToSay("text holds nothing to say", "send a text with words")
    return text
