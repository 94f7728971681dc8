"""Measure a target's timbre on a recording, grain by grain, with the ears of `classic`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.converters.base import ControlRows, Controls
from pipeline.converters.classic import Classic
from pipeline.converters.classic.prior import CLASSES, PRIOR, posterior
from pipeline.converters.classic.rows import UNVOICED, VOICED
from pipeline.timbre import BAND_CENTRES_HZ, BANDS, SAMPLE_RATE
from pipeline.vocoder.grains import NOTHING
from pipeline.vocoder.stream import HOP
from pipeline.voice import Timbre

Float = NDArray[np.float32]

PITCH_BINS = 10  # half octaves from 40 Hz
CLASS_CONFIDENCE = 15.0  # grains of a class before its own mean outweighs the average voice's


class Grains(NamedTuple):
    """What was heard of a recording, a grain every 5 ms or so."""

    power: Float  # (grains, bands) log power
    kind: NDArray[np.int64]  # (grains,) UNVOICED, VOICED or QUIET
    f0_hz: Float  # (grains,) pitch, 0 unvoiced
    breath: Float  # (bands,) running log of noise power / total power


def listen(audio: Float) -> Grains:
    """Run `classic`'s analysis over a recording at 48 kHz, (samples,) float32."""
    converter = Classic(HOP)
    state, rows, controls = converter.open(1), converter.voice_rows(1), ControlRows(1)
    controls.set(0, Controls(auto_pitch=False, gate_db=-100.0))
    rows.targets.known[0] = True  # makes it measure; what it would play is not used
    active = torch.ones(1, dtype=torch.bool)
    samples = torch.from_numpy(np.ascontiguousarray(audio[: len(audio) // HOP * HOP], np.float32))[None]
    power, kind, f0 = [], [], []
    seen = 0
    for start in range(0, samples.shape[1], HOP):
        converter.step(state, samples[:, start : start + HOP], rows, controls, active)
        if state.learnt.measured[0] != seen:
            seen = int(state.learnt.measured[0])
            power.append(state.learnt.latest[0].copy())
            kind.append(int(state.learnt.latest_kind[0]))
            f0.append(float(state.stream.f0_in[0]))
    return Grains(
        np.array(power, np.float32).reshape(-1, BANDS),
        np.array(kind, np.int64),
        np.array(f0, np.float32),
        state.learnt.breath[0].copy(),
    )


def bandwidth(grains: Grains) -> float:
    """The frequency in Hz above which the recording's sound (not its silence) holds practically nothing."""
    heard = grains.power[grains.kind != 2]
    if not len(heard):
        return float(BAND_CENTRES_HZ[-1])
    loud = np.percentile(heard, 90, axis=0)
    alive = np.flatnonzero(loud > max(loud.max() - 16.0, np.log(NOTHING) + 1.5))  # 70 dB under the strongest
    return float(BAND_CENTRES_HZ[alive[-1]])


def measure_timbre(audio: Float) -> Timbre:
    """Average spectra of a recording.

    Args:
        audio: (samples,) float32 mono at 48 kHz, one speaker, at least some seconds of voice.

    Raises:
        ValueError: less than a second of voiced sound.
    """
    grains = listen(audio)
    voiced = grains.power[grains.kind == VOICED]
    if len(voiced) * HOP < SAMPLE_RATE:
        raise ValueError(
            f"only {len(voiced) * HOP / SAMPLE_RATE:.1f} s of voiced sound; at least 1 s is needed"
        )
    mean = voiced.mean(0)
    unvoiced = grains.power[grains.kind == UNVOICED]
    deviation = (voiced - mean).astype(np.float32)
    weight, total, p = np.zeros(CLASSES), np.zeros((CLASSES, BANDS)), np.zeros(CLASSES, np.float32)
    for grain in deviation:
        posterior(grain, PRIOR, p)
        weight += p
        total += p[:, None] * grain
    classes = (total + CLASS_CONFIDENCE * PRIOR.deviation) / (weight + CLASS_CONFIDENCE)[:, None]
    pitch = grains.f0_hz[grains.kind == VOICED]
    bins = np.clip((2 * np.log2(np.maximum(pitch, 40.0) / 40.0)).astype(int), 0, PITCH_BINS - 1)
    by_pitch = np.tile(mean, (PITCH_BINS, 1))
    for b in np.unique(bins):
        by_pitch[b] = voiced[bins == b].mean(0)
    return Timbre(
        unvoiced=unvoiced.mean(0) if len(unvoiced) >= 20 else mean,
        voiced=mean,
        classes=classes.astype(np.float32),
        breath=grains.breath,
        by_pitch=by_pitch.astype(np.float32),
        by_pitch_seconds=(np.bincount(bins, minlength=PITCH_BINS) * HOP / SAMPLE_RATE).astype(np.float32),
        bandwidth_hz=bandwidth(grains),
    )
