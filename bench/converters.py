"""Delay against quality: what each converter loses by not waiting, side by side.

`classic` and `native` compute the same in a stream as on a whole recording, and their delay is what their
method needs. `rvc` may wait as long as one likes: each row is one look-ahead and one context, against the same
network with everything in reach, on real singing where there is some. The network has random weights of full
size, since trained ones cannot be shipped; trained ones differ (docs/rvc.md).

Difference: power of the difference of the two waveforms against the offline one's (dB; pitch and noise are the
same in both, so 0 dB is unrelated sound), and the mean distance of their log spectra (dB).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from auto_voice.storage.profiles import BUILTIN
from bench.report import Report, parser
from bench.untrained import full_size_content, full_size_voice
from pipeline import io
from pipeline.converters import available
from pipeline.converters.base import Controls, Converter
from pipeline.converters.rvc.converter import Rvc
from pipeline.converters.rvc.timing import LIVE, Timing
from pipeline.converters.stream import convert_recording
from pipeline.synthetic import sing, vibrato
from pipeline.voice import Target
from pipeline.voice_file import load_voice

RATE = 48_000
CONTROLS = Controls(auto_pitch=False)
TIMINGS = {
    "rvc_30ms": Timing(ahead=2),
    "rvc_40ms": Timing(ahead=3),
    "rvc": LIVE,
    "rvc_60ms_context_2s": Timing(context=200, content=200),
    "rvc_90ms": Timing(ahead=8),
    "rvc_130ms": Timing(ahead=12),
    "rvc_130ms_context_2s": Timing(ahead=12, context=200, content=200),
    "rvc_370ms_context_4s": Timing(ahead=36, context=400, content=400),
}
Float = NDArray[np.float32]


def recording(folder: Path, seconds: float) -> Float:
    """Somebody who sings, from the recordings, or a synthetic line where there are none."""
    found = sorted(folder.glob("singing/**/*.wav"))
    if found:
        audio = io.decode(found[0], sample_rate=RATE, max_seconds=600).samples
        return np.ascontiguousarray(audio[RATE : RATE + round(seconds * RATE)], np.float32)
    return sing(vibrato(220, seconds, RATE), RATE, np.random.default_rng(1))


def spectral_distance_db(one: Float, other: Float) -> float:
    """Mean over frames of the root mean square difference of log power spectra (dB), where `other` is loud."""
    spectra = [
        torch.stft(torch.from_numpy(x), 1024, 256, window=torch.hann_window(1024), return_complex=True).abs()
        ** 2
        for x in (one, other)
    ]
    loud = spectra[1].sum(0) > spectra[1].sum(0).max() * 1e-4
    logs = [10 * torch.log10(s[:, loud] + 1e-8) for s in spectra]
    return float((logs[0] - logs[1]).square().mean(0).sqrt().mean())


def difference_db(one: Float, other: Float) -> float:
    """Power of the difference against that of `other`."""
    return float(10 * np.log10((np.mean((one - other) ** 2) + 1e-12) / (np.mean(other**2) + 1e-12)))


def whole(converter: Converter, audio: Float) -> Converter:
    """The same converter, taking all of a recording in one step."""
    converter.block = -(-(len(audio) + converter.delay) // converter.hop) * converter.hop
    return converter


def main() -> None:
    """Run the benchmark."""
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=4.0, help="of singing")
    arguments.add_argument("--audio", type=Path, default=Path("../shared/audio"), help="folder of recordings")
    arguments.add_argument("--threads", type=int, default=2)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    audio = recording(given.audio, given.seconds)
    report = Report("converters")

    def measure(name: str, make: Callable[[], Converter], voice: Target, expected: Float) -> None:
        converter = make()
        converter.prepare(voice)
        began = time.perf_counter()
        out = convert_recording(converter, audio, voice, CONTROLS)
        took = time.perf_counter() - began
        report.add(f"{name}_delay_ms", 1000 * converter.delay / RATE, "ms", "<= 60" if name == "rvc" else "")
        report.add(f"{name}_block_ms", 1000 * converter.block / RATE, "ms")
        report.add(f"{name}_difference_db", difference_db(out, expected), "dB")
        report.add(f"{name}_spectral_db", spectral_distance_db(out, expected), "dB")
        report.add(f"{name}_rtf", took / (len(audio) / RATE), "x")

    otto = load_voice(BUILTIN / "otto.safetensors")
    for name in ("classic", "native"):
        make = available(threads=1)[name]
        convert_recording(make(480), audio[:9600], otto, CONTROLS)  # compiles
        expected = convert_recording(whole(make(480), audio), audio, otto, CONTROLS)
        measure(name, lambda make=make: make(480), otto, expected)  # type: ignore[misc]
    content, voice = full_size_content(), full_size_voice()
    stride = -(-(len(audio) + 60 * 480) // 960) * 2  # all of it, and as much more as the look-ahead
    everything = Timing(stride, 36, stride + 38, stride + 38)
    offline = Rvc(lambda *_: content, everything)
    offline.prepare(voice)
    expected = convert_recording(offline, audio, voice, CONTROLS)
    for name, timing in TIMINGS.items():
        measure(name, lambda timing=timing: Rvc(lambda *_: content, timing), voice, expected)  # type: ignore[misc]
    report.finish(given.json)


if __name__ == "__main__":
    main()
