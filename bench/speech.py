"""Texts spoken by a real server: how soon the first sound is there, how fast the rest, and what is understood.

`python -m bench.speech [--json FILE]`
"""

from __future__ import annotations

import io as std_io
import json
import tempfile
import time
import urllib.request
from pathlib import Path

import jiwer
import numpy as np
import soxr

from auto_voice.settings import load_settings
from auto_voice.storage.profiles import ProfileStore
from bench.report import Report, parser
from bench.service import Service
from bench.transcription import load_transcriber
from pipeline import io, weights
from pipeline.speaker import SAMPLE_RATE, SpeakerEncoder

RATE = 48_000
VOICES = ("otto", "felix", "aria", "stella")
TEXTS = (
    "Good evening, and welcome to the show. Tonight we will hear songs from three decades. Are you ready? "
    "Then let the first singer come to the stage, take the microphone, and begin.",
    "The harbour lay quiet under the morning fog. A small boat moved slowly towards the open water, and nobody "
    "on the shore knew where it was going. By noon the sun had come out, and the market was full of people.",
    "Please keep your headphones on while you sing. If you hear an echo, lower the volume of the loudspeakers, "
    "or move the microphone a little further away.",
)


def ask(url: str, text: str, voice: str) -> tuple[float, float, bytes]:
    """Seconds to the first sound and to the last, and the file."""
    body = json.dumps({"text": text, "voice": voice, "stream": True}).encode()
    request = urllib.request.Request(f"{url}/api/v1/synthesize", body, {"Content-Type": "application/json"})
    began, file, first = time.monotonic(), std_io.BytesIO(), 0.0
    with urllib.request.urlopen(request, timeout=120) as answer:
        while part := answer.read1(65_536):
            first = first or time.monotonic() - began
            file.write(part)
    return first, time.monotonic() - began, file.getvalue()


def words(text: str) -> str:
    """Lower case, without punctuation."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def main() -> None:
    """Run the benchmark."""
    args = parser(__doc__).parse_args()
    models = load_settings(None).storage.models_dir
    encoder, transcribe = SpeakerEncoder(weights.fetch("resemblyzer", models)), load_transcriber(models)
    firsts, speeds, errors, likeness = [], [], [], []
    with tempfile.TemporaryDirectory() as folder, Service(Path(folder)) as service:
        store = ProfileStore(Path(folder) / "profiles")
        ask(service.url, "Hello.", VOICES[0])  # loads the models
        for voice in VOICES:
            for text in TEXTS:
                first, last, file = ask(service.url, text, voice)
                sound = io.decode(file, sample_rate=RATE, max_seconds=120)
                low = np.asarray(soxr.resample(sound.samples, RATE, SAMPLE_RATE), np.float32)
                firsts.append(1000 * first)
                speeds.append(last / sound.seconds)
                errors.append(jiwer.wer(words(text), transcribe(low).words))
                likeness.append(float(encoder.embed(low) @ store.measured_voice(voice).embedding))
    report = Report("speech")
    report.percentiles("first_sound", firsts, "ms")
    report.add("seconds_per_second", float(np.median(speeds)), "s/s", "< 1", len(speeds))
    report.add("wer", float(np.mean(errors)), "", "", len(errors))
    report.add("similarity", float(np.mean(likeness)), "", "", len(likeness))
    report.finish(args.json)


if __name__ == "__main__":
    main()
