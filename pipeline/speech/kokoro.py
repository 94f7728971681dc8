"""Kokoro-82M through kokoro-onnx: a sentence in, a recording of a neutral speaker out.

Source: kokoro-onnx (MIT), https://github.com/thewh1teagle/kokoro-onnx; weights by hexgrad (Apache-2.0).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import onnx, weights
from pipeline.speech.errors import SpeechUnavailable, SynthesisFailed
from pipeline.speech.languages import Language, Speaker

Float = NDArray[np.float32]

SAMPLE_RATE = 24_000
SPEAKERS = Path(__file__).with_name("speakers.npz")  # each (lengths, 8) times (8, 256): a style for each length


@cache
def _speakers() -> dict[str, Float]:
    with np.load(SPEAKERS, allow_pickle=False) as file:
        names = {name.removesuffix(".styles") for name in file.files if name.endswith(".styles")}
        return {name: (file[f"{name}.lengths"] @ file[f"{name}.styles"])[:, None] for name in names}


class Kokoro:
    """The loaded synthesiser.

    Args:
        models_dir: the folder of weights; what is missing is downloaded.
        threads: that it computes with.

    Raises:
        SpeechUnavailable: its packages are not installed.
        WeightsUnavailable, WeightsCorrupt: as `pipeline.weights.fetch`.
    """

    def __init__(self, models_dir: Path, threads: int = 1) -> None:
        try:
            import kokoro_onnx
        except ImportError as problem:
            raise SpeechUnavailable(
                "text to speech is not installed", "install the extra `speech`: pip install '.[speech]'"
            ) from problem
        session = onnx.open_session(weights.fetch("kokoro", models_dir), threads)
        self._kokoro: Any = kokoro_onnx.Kokoro.from_session(session, str(SPEAKERS))
        self._kokoro.voices.close()  # it opens the file and never closes it; `_speakers` has read it

    def speak(self, sentence: str, language: Language, speaker: Speaker, speed: float) -> Float:
        """Speak one sentence.

        Args:
            sentence: of at most 500 phonemes or so.
            language: how it is pronounced.
            speaker: who says it.
            speed: 0.5 to 2, 1 as people speak.

        Returns:
            (samples,) at SAMPLE_RATE, in [-1, 1], without silence before and after; empty where nothing
            of it can be pronounced.

        Raises:
            SynthesisFailed: the synthesiser refuses it.
        """
        phonemes = self._kokoro.tokenizer.phonemize(sentence, language.phonemes)
        if not any(c.isalpha() for c in phonemes):
            return np.zeros(0, np.float32)
        style = _speakers()[speaker.name]
        try:
            audio, _ = self._kokoro.create(phonemes, style, speed, is_phonemes=True)
        except (ValueError, *onnx.REFUSED) as problem:
            raise SynthesisFailed(
                f"this cannot be spoken: {problem}", "use a shorter or plainer text"
            ) from problem
        return np.asarray(np.clip(audio, -1.0, 1.0), np.float32).reshape(-1)
