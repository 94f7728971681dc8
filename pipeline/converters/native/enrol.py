"""Frames of a recording, heard as a stream is, and from them the bank that `native` reads of a target."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from pipeline.converters.native.frames import (
    FRAME,
    SMOOTHING,
    Frames,
    find_marks,
    level_of,
    loudness,
    measure,
    open_frames,
    shape_of,
)
from pipeline.converters.native.weights import Weights, load_weights
from pipeline.pitch import live
from pipeline.timbre import BANDS, SAMPLE_RATE
from pipeline.vocoder.controls import take_hop
from pipeline.vocoder.grains import Work, make_work
from pipeline.vocoder.stream import HOP, Stream, open_stream
from pipeline.voice import BANK_FRAMES, Timbre, TimbreBank, VoiceFrames

Float = NDArray[np.float32]

SPREAD_LIMIT = (1.0, 2.0)  # bounds of the factor on the network's deviations from its mean
ENOUGH = 50  # frames of a kind that calibration needs
HELD_FRAMES = 64  # of a sound that the encoder hears before it is sure of it


@njit(nogil=True, cache=True, error_model="numpy")
def _hear(
    v: Stream,
    f: Frames,
    pitch: live.LiveState,
    prior: Float,
    x: Float,
    shape: Float,
    level: Float,
    f0: Float,
    w: Work,
    tables: live.Tables,
) -> None:
    for i in range(len(level)):
        for h in range(i * FRAME, (i + 1) * FRAME, HOP):
            found, _ = live.track_hop(pitch, 0, x[h : h + HOP], tables)
            take_hop(v, 0, x[h : h + HOP], -100.0, found)
            find_marks(v, 0, f)
        measure(v, 0, f, prior, w)
        shape[i] = f.shape[0]
        level[i] = f.level[0]
        f0[i] = f.f0[0]


def hear(audio: Float) -> VoiceFrames:
    """All frames of a recording, (samples,) float32 at 48 kHz; frame n ends with sample (n + 1) * FRAME."""
    frames = len(audio) // FRAME
    real = np.float32
    shape, level, f0 = np.zeros((frames, BANDS), real), np.zeros(frames, real), np.zeros(frames, real)
    _hear(
        open_stream(1),
        open_frames(1),
        live.open_state(1),
        np.zeros(BANDS, real),
        np.ascontiguousarray(audio, real),
        shape,
        level,
        f0,
        make_work(),
        live.make_tables(),
    )
    return VoiceFrames(shape, level, f0)


def make_bank(heard: VoiceFrames, weights: Weights | None = None) -> TimbreBank:
    """Choose what `native` reads of a target.

    Args:
        heard: what `hear` heard of one voice.
        weights: the network; the shipped one without.

    Raises:
        ValueError: a recording that holds next to nothing.
    """
    weight = loudness(heard.level)
    loud = np.flatnonzero(weight > 0.02)
    if len(loud) < ENOUGH:
        raise ValueError(f"only {len(loud) * FRAME / SAMPLE_RATE:.1f} s of sound")
    voiced = heard.f0_hz > 0
    chosen = _spread_out(loud, voiced)
    weights = weights or load_weights()
    net = weights.net
    mean = (heard.shape[voiced] if voiced.any() else heard.shape).mean(0)
    with torch.inference_mode():
        shape, level, f0 = (torch.from_numpy(a)[None] for a in (heard.shape, heard.level, heard.f0_hz))
        content = net.encode(shape, level, f0, torch.from_numpy(mean).expand_as(shape))
        own = steady(heard)
        bank = net.enrol(
            content[:, chosen],
            torch.from_numpy(own[chosen])[None],
            f0[:, chosen],
            torch.from_numpy(weight[chosen])[None],
        )
        rendered = net.render(content, level, f0, bank)[0].numpy()
    scale, offset = _calibrate(shape_of(rendered), own, voiced, weight > 0.1)
    return _padded(
        own[chosen],
        content[0, chosen].numpy(),
        heard.f0_hz[chosen],
        weight[chosen],
        bank.voice[0].numpy(),
        scale,
        offset,
        weights.fingerprint,
    )


def bank_of_averages(timbre: Timbre, median_f0_hz: float, weights: Weights | None = None) -> TimbreBank:
    """What `native` can read of a voice of which only averages were kept: one frame for each class of sound."""
    weights = weights or load_weights()
    net = weights.net
    shapes = shape_of(np.concatenate((timbre.unvoiced[None], timbre.voiced + timbre.classes)))
    f0 = np.full(len(shapes), median_f0_hz, np.float32)
    f0[0] = 0
    weight = np.ones(len(shapes), np.float32)
    with torch.inference_mode():
        held = torch.from_numpy(shapes)[:, None].expand(-1, HELD_FRAMES, -1)
        pitch = torch.from_numpy(f0)[:, None].expand(-1, HELD_FRAMES)
        mean = torch.from_numpy(shape_of(timbre.voiced)).expand_as(held)
        content = net.encode(held, torch.full_like(pitch, -0.1), pitch, mean)[:, -1]
        bank = net.enrol(
            content[None], torch.from_numpy(shapes)[None], pitch[None, :, 0], torch.from_numpy(weight)[None]
        )
    return _padded(
        shapes,
        content.numpy(),
        f0,
        weight,
        bank.voice[0].numpy(),
        np.ones((2, BANDS), np.float32),
        np.zeros((2, BANDS), np.float32),
        weights.fingerprint,
    )


def steady(heard: VoiceFrames) -> Float:
    """The shapes with noise averaged over time as `measure` does it, (frames, BANDS)."""
    power = heard.shape - level_of(heard.shape)[:, None] + 10.0 * heard.level[:, None]
    voiced = heard.f0_hz > 0
    for n in range(1, len(power)):
        if not voiced[n] and not voiced[n - 1]:
            mixed = (1 - SMOOTHING) * np.exp(power[n - 1]) + SMOOTHING * np.exp(power[n])
            power[n] = np.log(np.maximum(mixed, 1e-30))
    return shape_of(power)


def _padded(
    shapes: Float,
    content: Float,
    f0_hz: Float,
    weight: Float,
    summary: Float,
    scale: Float,
    offset: Float,
    network: str,
) -> TimbreBank:
    pad = BANK_FRAMES - len(shapes)
    return TimbreBank(
        shapes=np.pad(shapes, ((0, pad), (0, 0))).astype(np.float32),
        content=np.pad(content, ((0, pad), (0, 0))),
        f0_hz=np.pad(f0_hz, (0, pad)),
        weight=np.pad(weight, (0, pad)),
        summary=summary,
        scale=scale,
        offset=offset,
        network=network,
    )


def _spread_out(loud: NDArray[np.int64], voiced: NDArray[np.bool_]) -> NDArray[np.int64]:
    """At most BANK_FRAMES frames, evenly over the recording, the same share of voiced and unvoiced ones."""
    if len(loud) <= BANK_FRAMES:
        return loud
    chosen = []
    for kind in (True, False):
        of_kind = loud[voiced[loud] == kind]
        share = round(BANK_FRAMES * len(of_kind) / len(loud))
        chosen.append(of_kind[np.linspace(0, len(of_kind) - 1, share).astype(int)] if share else of_kind[:0])
    return np.sort(np.concatenate(chosen))[:BANK_FRAMES]


def _calibrate(
    rendered: Float, own: Float, voiced: NDArray[np.bool_], loud: NDArray[np.bool_]
) -> tuple[Float, Float]:
    """How the network's idea of a voice differs from the voice: (2, BANDS) factors and offsets.

    `rendered` is the recording sung by the network in its own voice. Mean and spread of what came out are
    mapped, band by band, to those of the recording.
    """
    scale, offset = np.ones((2, BANDS), np.float32), np.zeros((2, BANDS), np.float32)
    for kind in (0, 1):
        frames = (voiced == bool(kind)) & loud
        if frames.sum() < ENOUGH:
            continue
        made, wanted = rendered[frames], own[frames]
        if kind:
            scale[kind] = np.clip(wanted.std(0) / np.maximum(made.std(0), 0.05), *SPREAD_LIMIT)
        offset[kind] = wanted.mean(0) - scale[kind] * made.mean(0)
    return scale, offset
