"""A text spoken in a voice, by the real synthesiser and the real converter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from auto_voice.storage.profiles import ProfileStore
from pipeline.pitch import offline
from pipeline.speaker import SAMPLE_RATE, SpeakerEncoder
from pipeline.speech.errors import InvalidLanguage, NothingToSay, TextTooLong
from pipeline.speech.languages import LANGUAGES
from pipeline.speech.speech import Speech
from pipeline.weights import fetch

kokoro_onnx = pytest.importorskip("kokoro_onnx", reason="the extra `speech` is not installed")

TEXT = "Good evening, and welcome to the show. Tonight we will sing twelve songs from three decades."


@pytest.fixture(scope="module")
def speech(models_dir: Path) -> Speech:
    return Speech(models_dir)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ProfileStore:
    return ProfileStore(tmp_path_factory.mktemp("voices"))


@pytest.mark.parametrize("voice", ["otto", "stella"])
def test_the_voice_is_the_one_that_was_asked_for(
    speech: Speech, store: ProfileStore, models_dir: Path, voice: str
) -> None:
    sound = np.concatenate(list(speech.speak(TEXT, store.voice(voice))))
    assert 4.0 < len(sound) / speech.sample_rate < 9.0
    assert 0.1 < np.abs(sound).max() <= 1.0
    low = soxr.resample(sound, speech.sample_rate, SAMPLE_RATE)
    heard = SpeakerEncoder(fetch("resemblyzer", models_dir)).embed(low)
    likeness = {name: float(heard @ store.voice(name).embedding) for name in ("otto", "stella")}
    assert likeness[voice] == max(likeness.values()) > 0.7
    f0 = offline.track(low, offline.RATE, fetch("swiftf0", models_dir)).f0_hz
    octaves = np.log2(np.median(f0[f0 > 0]) / store.voice(voice).median_f0_hz)
    assert abs(octaves) < 0.45


def test_the_first_part_is_there_before_the_last_is_made(speech: Speech, store: ProfileStore) -> None:
    spoken = []
    speak = speech._kokoro.speak
    speech._kokoro.speak = lambda *given: spoken.append(given[0]) or speak(*given)  # type: ignore
    try:
        heard = speech.speak(TEXT, store.voice("aria"))
        while not np.abs(next(heard)).max(initial=0.0) > 0.01:
            pass
        assert spoken == ["Good evening, and welcome to the show."]
    finally:
        speech._kokoro.speak = speak  # type: ignore[method-assign]


def test_speed_changes_the_length_and_pitch_does_not(speech: Speech, store: ProfileStore) -> None:
    def seconds(**how: float) -> float:
        return (
            sum(map(len, speech.speak("Twelve songs from three decades.", store.voice("aria"), **how))) / 48_000
        )

    plain = seconds()
    assert seconds(speed=0.6) > 1.3 * plain > 1.5 * seconds(speed=1.8)
    assert seconds(pitch=5.0) == pytest.approx(plain, abs=0.02)


@pytest.mark.parametrize(
    ("spoken", "text"),
    [
        ("es", "Buenas noches."),
        ("fr", "Bonsoir à tous."),
        ("hi", "नमस्ते दोस्तों।"),
        ("pt", "Boa noite a todos."),
        ("it", "Buona sera."),
    ],
)
def test_every_language_is_spoken(speech: Speech, store: ProfileStore, spoken: str, text: str) -> None:
    sound = np.concatenate(list(speech.speak(text, store.voice("hugo"), spoken=spoken)))
    assert np.abs(sound).max() > 0.05
    assert len(LANGUAGES) == 7


@pytest.mark.parametrize(
    ("text", "spoken", "problem"),
    [
        ("", "en-us", NothingToSay),
        ("?!", "en-us", NothingToSay),
        ("a" * 5001, "en-us", TextTooLong),
        ("hello", "tlh", InvalidLanguage),
    ],
)
def test_what_cannot_be_spoken_is_refused(
    speech: Speech, store: ProfileStore, text: str, spoken: str, problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        list(speech.speak(text, store.voice("aria"), spoken=spoken))


@pytest.mark.parametrize(
    "text", ["1" * 300, "x" * 300, "ж" * 100, "日本語のテキスト", "https://example.com/a?b=c&d=e"]
)
def test_strange_texts_are_spoken_or_refused(speech: Speech, store: ProfileStore, text: str) -> None:
    try:
        sound = np.concatenate(list(speech.speak(text, store.voice("aria"))))
    except NothingToSay:
        return
    assert np.isfinite(sound).all()
