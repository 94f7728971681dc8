"""`autovoice tts`: a text spoken in a voice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from auto_voice.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from pipeline.io import Float

STDIN = "-"


def speak(
    text: Annotated[
        str, typer.Argument(help="what is said, up to 5,000 characters; - reads it from standard input")
    ],
    voice: Annotated[str, typer.Option("--voice", "-v", help="id of the voice: see `autovoice voices list`")],
    output: Annotated[Path, typer.Option("--output", "-o", help="a .wav, .flac, .ogg or .mp3 file")],
    language: Annotated[str, typer.Option(help="en-us, en-gb, es, fr, hi, it or pt-br")] = "en-us",
    speed: Annotated[float, typer.Option(help="0.5 to 2")] = 1.0,
    pitch: Annotated[float, typer.Option(help="semitones above the voice's own, -12 to 12")] = 0.0,
    config: Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")] = None,
) -> None:
    """Speak a text in a voice."""
    from auto_voice.storage.profiles import ProfileStore
    from pipeline import io
    from pipeline.speech.languages import language as find_language
    from pipeline.speech.limits import PITCHES, SPEEDS, check_text
    from pipeline.speech.speech import Speech

    for name, value, (low, high) in (("--speed", speed, SPEEDS), ("--pitch", pitch, PITCHES)):
        if not low <= value <= high:
            raise SettingsError(f"{name} must be from {low:g} to {high:g}, not {value:g}")
    find_language(language)
    words = check_text(sys.stdin.read() if text == STDIN else text)
    settings = load_settings(config)
    target = ProfileStore(settings.storage.voice_profiles_dir).voice(voice)
    io.check_writable(output)
    seconds = 0.0
    with Console(stderr=True).status("speaking") as status:
        speech = Speech(settings.storage.models_dir)

        def blocks() -> Iterator[Float]:
            nonlocal seconds
            for sound in speech.speak(words, target, spoken=language, speed=speed, pitch=pitch):
                seconds += len(sound) / speech.sample_rate
                status.update(f"speaking: {seconds:.0f} s")
                yield sound[None]

        io.encode_blocks(output, blocks(), speech.sample_rate, 1)
    Console(stderr=True).print(f"{output}: {seconds:.1f} s", highlight=False, markup=False)
