"""From a text to the words in somebody's voice, part by part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kernels.resampler import StreamResampler
from pipeline.converters.base import Controls
from pipeline.converters.kept import KeptConverters
from pipeline.converters.rvc.timing import PARTS
from pipeline.song.convert import Stream
from pipeline.speech import kokoro
from pipeline.speech.errors import NothingToSay
from pipeline.speech.languages import DEFAULT_LANGUAGE, Speaker, language
from pipeline.speech.limits import check_text
from pipeline.speech.sentences import parts
from pipeline.voice import Target

Float = NDArray[np.float32]

MOST_SHIFT = 7.0  # semitones that a speaker is moved by to meet a voice
PAUSE_S = 0.25  # after each part, at speed 1
STEP_S = 0.5  # that the converter takes at a time


def shift_between(speaker: Speaker, voice: Target) -> float:
    """Semitones that bring a speaker's pitch to a voice's, 0 where that is not known."""
    if voice.median_f0_hz is None:
        return 0.0
    distance = 12.0 * math.log2(voice.median_f0_hz / speaker.median_hz)
    return max(-MOST_SHIFT, min(MOST_SHIFT, distance))


class Speech:
    """Speaks any text in any voice; the models stay loaded.

    Args:
        models_dir: the folder of weights; what is missing is downloaded.
        threads: of the synthesiser.

    Raises:
        SpeechUnavailable: the packages that speak are not installed.
        WeightsUnavailable, WeightsCorrupt: as `pipeline.weights.fetch`.
    """

    sample_rate = 48_000  # of what is spoken, in Hz

    def __init__(self, models_dir: Path, threads: int = 1) -> None:
        self._kokoro = kokoro.Kokoro(models_dir, threads)
        self._converters = KeptConverters(models_dir, PARTS)

    def speak(
        self,
        text: str,
        voice: Target,
        *,
        spoken: str = DEFAULT_LANGUAGE,
        speed: float = 1.0,
        pitch: float = 0.0,
    ) -> Iterator[Float]:
        """Speak a text; each part is there as soon as it is made.

        Args:
            text: up to LONGEST_TEXT characters.
            voice: who is to be heard.
            spoken: the language, one of `LANGUAGES`.
            speed: within SPEEDS.
            pitch: semitones above the voice's own, within PITCHES.

        Yields:
            (samples,) at `sample_rate`.

        Raises:
            TextTooLong, NothingToSay, InvalidLanguage, SynthesisFailed: what is wrong with the text.
            WeightsUnavailable: the voice needs some that are not here.
        """
        text, tongue = check_text(text), language(spoken)
        speaker = tongue.speaker_for(voice.median_f0_hz or tongue.speakers[0].median_hz)
        controls = Controls(shift_between(speaker, voice) + pitch, auto_pitch=False)
        stream = Stream(self._converters.prepared(voice), voice, controls, None)
        up = StreamResampler(kokoro.SAMPLE_RATE, stream.sample_rate)
        pause = np.zeros(round(PAUSE_S / speed * kokoro.SAMPLE_RATE), np.float32)
        heard = False
        for part in parts(text):
            audio = self._kokoro.speak(part, tongue, speaker, speed)
            if len(audio):
                heard = True
                yield from _in_steps(stream, up.push(np.concatenate((audio, pause))))
        if not heard:
            raise NothingToSay("nothing of the text can be pronounced", f"is it in {tongue.name}?")
        yield stream.push(up.finish(np.zeros(0, np.float32)))
        yield stream.finish()


def _in_steps(stream: Stream, audio: Float) -> Iterator[Float]:
    step = round(STEP_S * stream.sample_rate)
    for start in range(0, len(audio), step):
        yield stream.push(audio[start : start + step])
