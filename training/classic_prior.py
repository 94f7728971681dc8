"""Make `pipeline/converters/classic/prior.safetensors`: what `classic` knows of voices in general.

    python -m training.classic_prior --audio ../shared/audio

Twelve or so voices are listened to; the deviations of their voiced grains from their own mean are described by
a Gaussian mixture (k-means, then expectation-maximisation), and their means are averaged. The voices that
`bench.voice` reports on take no part.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipeline.converters.classic.prior import CEPSTRA, CLASS_BANDS, CLASSES, FILE
from pipeline.converters.classic.rows import UNVOICED, VOICED
from pipeline.enrolment import listen
from pipeline.timbre import SAMPLE_RATE

VOICES = {
    "librispeech-1998": "speech/librispeech/1998",
    "librispeech-2414": "speech/librispeech/2414",
    "ljspeech": "speech/ljspeech",
    "libritts-1580": "more_speakers/libritts/1580",
    "libritts-260": "more_speakers/libritts/260",
    "libritts-1995": "more_speakers/libritts/1995",
    "libritts-237": "more_speakers/libritts/237",
    "libritts-121": "more_speakers/libritts/121",
    "vctk-p225": "more_speakers/vctk/p225",
    "vctk-p226": "more_speakers/vctk/p226",
    "vctk-p227": "more_speakers/vctk/p227",
    "vctk-p228": "more_speakers/vctk/p228",
}
SECONDS = 55
ITERATIONS = 30

Array = NDArray[np.float64]


def read(files: Iterable[Path]) -> NDArray[np.float32]:
    """The first SECONDS of some mono recordings, one after another, at 48 kHz."""
    parts: list[NDArray[np.float32]] = []
    for file in files:
        with av.open(str(file)) as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
            rate = container.streams.audio[0].rate
        samples = np.concatenate(frames, axis=1)[0]
        scale = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
        parts.append(soxr.resample((samples / scale).astype(np.float32), rate, SAMPLE_RATE))
        if sum(map(len, parts)) > SECONDS * SAMPLE_RATE:
            break
    return np.concatenate(parts)


def mixture(points: Array, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Fit a diagonal Gaussian mixture: (weights, centres, variances, responsibilities)."""
    centres = points[rng.choice(len(points), CLASSES, replace=False)]
    for _ in range(ITERATIONS):
        nearest = ((points[:, None] - centres) ** 2).sum(2).argmin(1)
        centres = np.array([points[nearest == k].mean(0) for k in range(CLASSES)])
    variances = np.array([points[nearest == k].var(0) for k in range(CLASSES)])
    weights = np.bincount(nearest, minlength=CLASSES) / len(points)
    for _ in range(ITERATIONS):
        log = np.log(weights) - 0.5 * (
            ((points[:, None] - centres) ** 2 / variances).sum(2) + np.log(variances).sum(1)
        )
        p = np.exp(log - log.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        count = p.sum(0)
        weights, centres = count / len(points), p.T @ points / count[:, None]
        variances = p.T @ points**2 / count[:, None] - centres**2 + 0.01
    return weights, centres, variances, p


def main() -> None:
    """Listen to the voices and write the prior."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, required=True)
    args = parser.parse_args()
    band = np.arange(CLASS_BANDS) + 0.5
    transform = np.array(
        [np.sqrt(2 / CLASS_BANDS) * np.cos(np.pi * q * band / CLASS_BANDS) for q in range(1, CEPSTRA + 1)]
    )
    deviations, means, breaths = [], [], []
    for name, folder in VOICES.items():
        grains = listen(read(sorted((args.audio / folder).glob("*.flac"))))
        voiced, unvoiced = grains.power[grains.kind == VOICED], grains.power[grains.kind == UNVOICED]
        deviations.append(voiced - voiced.mean(0))
        level = voiced.mean()
        means.append([unvoiced.mean(0) - level, voiced.mean(0) - level])
        breaths.append(grains.breath)
        print(f"{name}: {len(voiced)} voiced and {len(unvoiced)} unvoiced grains")
    deviation = np.concatenate(deviations).astype(float)
    points = deviation[:, :CLASS_BANDS] @ transform.T
    weights, centres, variances, p = mixture(points, np.random.default_rng(1))
    prior = {
        "transform": transform,
        "centre": centres,
        "precision": 1 / variances,
        "log_weight": np.log(weights) - 0.5 * np.log(variances).sum(1),
        "deviation": p.T @ deviation / p.sum(0)[:, None],
        "mean": np.mean(means, 0),
        "breath": np.mean(breaths, 0),
    }
    save_file({k: np.ascontiguousarray(v, np.float32) for k, v in prior.items()}, FILE)
    print(f"wrote {FILE}, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
