"""Aligned synthetic speech: one sentence, one prosody, several timbres.

Half of a Kokoro voice steers durations and pitch, the other half how it sounds. With the first half kept and
the second exchanged, or mixed from two voices, the same sentence comes out of several throats, aligned to the
sample: what a voice converter has to learn, as pairs.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import io, onnx
from training.native.sources import STYLE, Kokoro

RATE = 24_000
TIMBRES = 3
TIMBRE = STYLE // 2
SYMBOLS = range(15, 111)  # lengths of sentences that are spoken
PURE = 0.6  # share of timbres that are one voice's

Float = NDArray[np.float32]


def phonemes(text: str, kokoro: Kokoro) -> str | None:
    """The sentence in phonemes, or None where a word is not in the dictionary."""
    spoken = []
    for word in re.findall(r"[A-Za-z']+|[.,?!;:]", text):
        if not word[0].isalpha():
            spoken.append(word)
            continue
        known = kokoro.dictionary
        found = known.get(word.lower()) or known.get(word) or known.get(word.capitalize())
        if isinstance(found, dict):
            found = found.get("DEFAULT")
        if not found:
            return None
        spoken.append(f" {found}")
    return "".join(spoken).strip()


class Speaker:
    """Speaks with any prosody in any timbre."""

    def __init__(self, kokoro: Kokoro) -> None:
        self._kokoro = kokoro
        self._session = onnx.open_session(kokoro.model)

    def speak(self, symbols: list[int], prosody: str, timbre: tuple[str, str, float], speed: float) -> Float:
        """(samples,) at RATE; `timbre` is two voices and how much of the second."""
        first, second, mix = timbre
        voices, length = self._kokoro.voices, len(symbols)
        sound = (1 - mix) * voices[first][length, :TIMBRE] + mix * voices[second][length, :TIMBRE]
        style = np.concatenate((sound, voices[prosody][length, TIMBRE:]))[None].astype(np.float32)
        audio = self._session.run(
            None,
            {
                "tokens": np.array([[0, *symbols, 0]], np.int64),
                "style": style,
                "speed": np.array([speed], np.float32),
            },
        )[0]
        return np.asarray(np.clip(audio, -1, 1), np.float32).reshape(-1)


def render(sentences: list[str], kokoro: Kokoro, folder: Path, *, count: int, seed: int) -> None:
    """Speak until there are `count` sentences in the folder, each in TIMBRES timbres; goes on where it was."""
    folder.mkdir(parents=True, exist_ok=True)
    speaker, names = Speaker(kokoro), list(kokoro.voices)
    for number in range(count):
        rng = random.Random(f"{seed}-{number}")
        place = folder / f"{number:05d}.json"
        text = sentences[number % len(sentences)]
        spoken = phonemes(text, kokoro)
        symbols = [kokoro.symbols[p] for p in spoken or "" if p in kokoro.symbols]
        if place.exists() or len(symbols) not in SYMBOLS:
            continue
        prosody, speed = rng.choice(names), rng.uniform(0.8, 1.2)
        timbres = []
        for k in range(TIMBRES):
            mix = 0.0 if rng.random() < PURE else round(rng.uniform(0.2, 0.8), 2)
            timbres.append((rng.choice(names), rng.choice(names), mix))
            audio = speaker.speak(symbols, prosody, timbres[k], speed)
            io.encode(folder / f"{number:05d}-{k}.flac", audio, RATE)
        place.write_text(json.dumps({"text": text, "prosody": prosody, "timbres": timbres, "phonemes": spoken}))
