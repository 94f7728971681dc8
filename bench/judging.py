"""What a listener would say of a conversion, measured: whose voice, which words, what pitch, how clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from bench.transcription import Transcript, load_transcriber
from pipeline import onnx, weights
from pipeline.pitch import offline
from pipeline.speaker import SpeakerEncoder

Float = NDArray[np.float32]

RATE = 16_000
DNSMOS_S = 9.01
# DNSMOS P.835's published polynomial for OVRL
OVRL = (-0.06766283, 1.11546468, 0.04602535)


class Judge:
    """Measures conversions; what is asked twice of a recording is computed once."""

    def __init__(self, models: Path) -> None:
        files = {name: weights.fetch(name, models) for name in ("dnsmos", "resemblyzer", "swiftf0")}
        self._encoder = SpeakerEncoder(files["resemblyzer"])
        self._swift = files["swiftf0"]
        self._dnsmos = onnx.open_session(files["dnsmos"])
        self._transcribe = load_transcriber(models)
        self._known: dict[tuple[str, int], Any] = {}

    def measure(self, source: Float, converted: Float, target: Float, semitones: int) -> dict[str, float]:
        """Compare a conversion with its source and with an unseen recording of the target (all at 48 kHz).

        `wer` and `cer` are NaN where Whisper does not trust its own transcript of the source: there are no
        words to lose. What it makes of the conversion counts as it is. `wer_all` is counted without asking.
        Pitch is NaN where no instant is voiced in both.
        """
        import jiwer

        heard = _low(converted)
        voice = self._once("voice", target, self._encoder.embed)
        told: Transcript = self._once("words", source, self._transcribe)
        words, said = told.words, self._transcribe(heard).words
        wer = float(jiwer.wer(words, said)) if words else float("nan")
        hz_in, hz_out = self._once("pitch", source, self._pitch), self._pitch(heard)
        frames = min(len(hz_in), len(hz_out))
        hz_in, hz_out = hz_in[:frames], hz_out[:frames]
        both = (hz_in > 0) & (hz_out > 0)
        cents = np.abs(1200 * np.log2(hz_out[both] / (hz_in[both] * 2 ** (semitones / 12))))
        return {
            "similarity": float(self._encoder.embed(heard) @ voice),
            "similarity_of_source": float(self._once("own", source, self._encoder.embed) @ voice),
            "wer": wer if told.trusted else float("nan"),
            "cer": float(jiwer.cer(words, said)) if told.trusted else float("nan"),
            "wer_all": wer,
            "pitch_median_abs_cents": float(np.median(cents)) if both.any() else float("nan"),
            "gross_pitch_errors": float(np.mean(cents > 50)) if both.any() else float("nan"),
            "voicing_agreement": float(np.mean((hz_in > 0) == (hz_out > 0))),
            "dnsmos_ovrl_drop": self._once("mos", source, self._ovrl) - self._ovrl(heard),
        }

    def _once(self, what: str, audio: Float, measure: Any) -> Any:
        key = (what, id(audio))
        if key not in self._known:
            self._known[key] = (measure(_low(audio)), audio)  # the audio is kept so that its id stays its own
        return self._known[key][0]

    def _pitch(self, audio: Float) -> Float:
        return offline.track(audio, RATE, self._swift).f0_hz

    def _ovrl(self, audio: Float) -> float:
        length = int(DNSMOS_S * RATE)
        padded = np.resize(audio, max(length, len(audio)))
        scores = [
            self._dnsmos.run(None, {"input_1": padded[None, start : start + length]})[0][0][2]
            for start in range(0, len(padded) - length + 1, RATE)
        ]
        return float(np.polyval(OVRL, np.mean(scores)))


def _low(audio: Float) -> Float:
    return np.asarray(soxr.resample(audio, 48_000, RATE), np.float32)
