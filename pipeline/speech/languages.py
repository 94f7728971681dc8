"""The languages that are spoken, each by a woman and a man whose timbre the converter then replaces."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.speech.errors import InvalidLanguage


@dataclass(frozen=True)
class Speaker:
    """A voice of Kokoro.

    Attributes:
        name: as Kokoro has it.
        median_hz: how high it speaks.
    """

    name: str
    median_hz: float


@dataclass(frozen=True)
class Language:
    """A language.

    Attributes:
        name: in English.
        phonemes: what espeak-ng calls it.
        speakers: a high and a low one; the same where Kokoro has one only.
    """

    name: str
    phonemes: str
    speakers: tuple[Speaker, Speaker]

    def speaker_for(self, median_hz: float) -> Speaker:
        """The one that is nearer to a voice, by the ratio of pitches."""
        return min(
            self.speakers,
            key=lambda one: max(one.median_hz, median_hz) / min(one.median_hz, median_hz),
        )


LANGUAGES = {
    "en-us": Language("American English", "en-us", (Speaker("af_heart", 191), Speaker("am_michael", 110))),
    "en-gb": Language("British English", "en-gb", (Speaker("bf_emma", 177), Speaker("bm_george", 137))),
    "es": Language("Spanish", "es", (Speaker("ef_dora", 165), Speaker("em_alex", 123))),
    "fr": Language("French", "fr-fr", (Speaker("ff_siwis", 203), Speaker("ff_siwis", 203))),
    "hi": Language("Hindi", "hi", (Speaker("hf_alpha", 210), Speaker("hm_omega", 124))),
    "it": Language("Italian", "it", (Speaker("if_sara", 216), Speaker("im_nicola", 88))),
    "pt-br": Language("Brazilian Portuguese", "pt-br", (Speaker("pf_dora", 165), Speaker("pm_alex", 126))),
}
DEFAULT_LANGUAGE = "en-us"


def language(name: str) -> Language:
    """The language of that name; "en", "pt" and capitals are understood.

    Raises:
        InvalidLanguage: none of them.
    """
    wanted = name.strip().lower().replace("_", "-")
    found = LANGUAGES.get({"en": "en-us", "pt": "pt-br", "fr-fr": "fr", "es-es": "es"}.get(wanted, wanted))
    if found is None:
        raise InvalidLanguage(
            f"{name[:20]!r} is no language that is spoken here", f"use one of {', '.join(LANGUAGES)}"
        )
    return found
