"""Text to speech: a text is spoken by Kokoro-82M, and what it says is converted to the voice wanted."""

from pipeline.speech.errors import (
    InvalidLanguage,
    NothingToSay,
    SpeechUnavailable,
    SynthesisFailed,
    TextTooLong,
)
from pipeline.speech.languages import LANGUAGES, Language
from pipeline.speech.speech import LONGEST_TEXT, SPEEDS, Speech

__all__ = [
    "LANGUAGES",
    "LONGEST_TEXT",
    "SPEEDS",
    "InvalidLanguage",
    "Language",
    "NothingToSay",
    "Speech",
    "SpeechUnavailable",
    "SynthesisFailed",
    "TextTooLong",
]
