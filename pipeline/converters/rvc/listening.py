"""What is heard of each singer before the networks: gate, pitch, and the dry sound, held back by the delay."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.converters.rvc.timing import FRAME, Timing
from pipeline.pitch import live
from pipeline.vocoder.controls import GATE_CLOSE, GATE_OPEN, OCTAVE_MARGIN

HOP = live.HOP  # two of them are a frame
HELD_FALL = 0.97  # of the last sample of an old voice, at each sample of the new one: 0.7 ms
KNOWN_S = 0.3  # voiced seconds before a singer's pitch is known
LOUDNESS_FRAMES = 50  # loudness is measured over half a second, as RVC does
THROUGH_OPEN, THROUGH_CLOSE = 0.75, 0.6  # part of the way that it moves in a frame, for what is made
LOUDEST = 1e3
SILENCE_DB = -100.0  # a gate at this threshold never closes on sound

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


class Listening(NamedTuple):
    """Stream state; the first axis of each array is the row. Rings are addressed by position."""

    position: Int  # (rows,) samples taken
    sound: Float  # (rows, ring) gated input
    through: Float  # (rows,) gain in force of what is made of it, and ...
    gain: Float  # (rows, frames of the ring) ... that of each frame
    gate: Float  # (rows,) gain in force
    power: Double  # (rows, frames of the ring) mean squares of the input by frame
    sung: Double  # (rows, LOUDNESS_FRAMES) and of the output
    f0_hz: Float  # (rows, stride) pitch of the newest frames, as it was sung
    f0_last: Float  # (rows,) pitch at the last hop
    f0_out: Float  # (rows,) what is sung for it
    log_f0: Double  # (rows, 2) sum of log2 f0 over voiced seconds, and those seconds
    octaves: Double  # (rows,) whole octaves added by automatic pitch
    wet: Float  # (rows,) dry/wet in force
    changed: Bool  # (rows,) another voice begins with the block at hand
    last: Float  # (rows,) the last sample that a voice sang
    held: Float  # (rows,) and what is left of it after a change


def open_listening(rows: int, timing: Timing) -> Listening:
    """Allocate the state of `rows` streams."""
    frames = 1 << (timing.delay // FRAME + timing.stride + LOUDNESS_FRAMES).bit_length()
    real = np.float32
    state = Listening(
        position=np.zeros(rows, np.int64),
        sound=np.zeros((rows, frames * FRAME), real),
        through=np.zeros(rows, real),
        gain=np.zeros((rows, frames), real),
        gate=np.zeros(rows, real),
        power=np.zeros((rows, frames)),
        sung=np.zeros((rows, LOUDNESS_FRAMES)),
        f0_hz=np.zeros((rows, timing.stride), real),
        f0_last=np.zeros(rows, real),
        f0_out=np.zeros(rows, real),
        log_f0=np.zeros((rows, 2)),
        octaves=np.zeros(rows),
        wet=np.zeros(rows, real),
        changed=np.zeros(rows, np.bool_),
        last=np.zeros(rows, real),
        held=np.zeros(rows, real),
    )
    for row in range(rows):
        reset_listening(state, row)
    return state


def reset_listening(state: Listening, row: int) -> None:
    """Forget all that one row has heard."""
    for array in state:
        array[row] = 0
    state.gate[row] = state.wet[row] = 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def _towards(gain: float, open_: bool, pace: float) -> float:
    """A gain that has moved part of its way to 1 or 0, and arrives there."""
    target = 1.0 if open_ else 0.0
    gain += pace * (target - gain)
    return target if abs(gain - target) < 1e-3 else gain


@njit(nogil=True, cache=True, error_model="numpy")
def _take_frame(s: Listening, r: int, x: Float, threshold_db: float) -> None:
    """Put FRAME samples into the ring, fading to silence while they are quieter than the threshold."""
    start = s.position[r]
    size = s.sound.shape[1]
    power = 0.0
    for i in range(FRAME):
        # NaN, infinity and denormals never enter the state
        value = x[i] if live.TINY < abs(x[i]) <= 8.0 else np.float32(0.0)
        power += float(value * value)
        s.sound[r, (start + i) % size] = value
    power /= FRAME
    frame = start // FRAME % s.gain.shape[1]
    open_ = threshold_db <= SILENCE_DB or power > 10.0 ** (threshold_db / 10.0)
    # the gate of the other converters moves twice in this time
    pace = 1.0 - (1.0 - (GATE_OPEN if open_ else GATE_CLOSE)) ** 2
    old = s.gate[r]
    new = _towards(old, open_, pace)
    s.gate[r] = new
    if old < 1.0 or new < 1.0:
        for i in range(FRAME):
            s.sound[r, (start + i) % size] *= old + (new - old) * np.float32((i + 1) / FRAME)
    heard = open_ and power > 0.0  # a network makes sound of silence, too
    s.through[r] = _towards(s.through[r], heard, THROUGH_OPEN if heard else THROUGH_CLOSE)
    s.gain[r, frame] = s.through[r]
    s.power[r, frame] = power
    s.position[r] = start + FRAME


@njit(nogil=True, cache=True, error_model="numpy")
def listen(
    rows: Int,
    s: Listening,
    pitch: live.LiveState,
    x: Float,
    gate_db: Float,
    melody: Float,
    wanted_log_f0: Double,
    semitones: Float,
    auto: Bool,
    out: Float,
    tables: live.Tables,
) -> None:
    """Take a block of each of `rows`.

    Args:
        rows: (n,).
        s, pitch: state of all rows.
        x: (rows, block).
        gate_db: (rows,) threshold.
        melody: (rows, hops) known pitch, or (rows, 0).
        wanted_log_f0: (rows,) log2 of the voice's pitch in Hz, 0 if that is not known.
        semitones: (rows,) transposition.
        auto: (rows,) move whole octaves towards the voice.
        out: (n, block) the gated input, written.
        tables: constants of the pitch tracker.
    """
    for n in range(len(rows)):
        r = rows[n]
        size = s.sound.shape[1]
        for frame in range(x.shape[1] // FRAME):
            start = s.position[r]
            _take_frame(s, r, x[r, frame * FRAME : (frame + 1) * FRAME], gate_db[r])
            # the frame that these samples complete ends where they begin; at its own beginning was the pitch
            # that the tracker, LOOKAHEAD behind, has told last
            s.f0_hz[r, frame] = s.f0_last[r]
            for hop in range(2 * frame, 2 * frame + 2):
                if melody.shape[1] > 0:
                    f0 = melody[r, hop]
                else:
                    f0, _ = live.track_hop(pitch, r, x[r, hop * HOP : (hop + 1) * HOP], tables)
                if f0 > 0.0:
                    s.log_f0[r, 0] += HOP / 48_000 * np.log2(f0)
                    s.log_f0[r, 1] += HOP / 48_000
                s.f0_last[r] = f0
            for i in range(FRAME):
                out[n, frame * FRAME + i] = s.sound[r, (start + i) % size]
        _follow(s, r, wanted_log_f0[r], semitones[r], auto[r])


@njit(nogil=True, cache=True, error_model="numpy")
def _follow(s: Listening, r: int, wanted: float, semitones: float, auto: bool) -> None:
    """Move the block's pitch by what the controls and the two voices ask for."""
    apart = wanted - s.log_f0[r, 0] / s.log_f0[r, 1] if wanted > 0.0 and s.log_f0[r, 1] > KNOWN_S else 0.0
    if not auto:
        s.octaves[r] = 0.0
    elif abs(apart - s.octaves[r]) > OCTAVE_MARGIN:
        s.octaves[r] = math.floor(apart + 0.5)
    ratio = np.float32(2.0 ** (semitones / 12.0 + s.octaves[r]))
    for i in range(s.f0_hz.shape[1]):
        s.f0_hz[r, i] *= ratio
    s.f0_out[r] = s.f0_last[r] * ratio


@njit(nogil=True, cache=True, error_model="numpy")
def give(
    rows: Int,
    s: Listening,
    made: Float,
    known: Bool,
    wet: Float,
    rms_mix: Float,
    delay: int,
    y: Float,
) -> None:
    """Write the block that is due of each of `rows`.

    Args:
        rows: (n,).
        s: state of all rows.
        made: (n, block) what the networks sang for it.
        known: (rows,) whether the row has a voice; it keeps the singer's own without.
        wet: (rows,) share of what was made.
        rms_mix: (rows,) share of its own loudness, 0 follows the singer's.
        delay: samples.
        y: (rows, block), written.
    """
    for n in range(len(rows)):
        r = rows[n]
        block, size, frames = y.shape[1], s.sound.shape[1], s.gain.shape[1]
        first = s.position[r] - block - delay
        if s.changed[r]:  # what was sung last dies away under the new voice, which begins softly
            s.held[r], s.changed[r] = s.last[r], False
            for i in range(FRAME):
                made[n, i] *= np.float32((i + 1) / FRAME)
        old = s.wet[r]
        s.wet[r] = wet[r]
        for frame in range(block // FRAME):
            at = first // FRAME + frame
            gain = s.gain[r, at % frames] if at >= 0 else np.float32(0.0)
            before = s.gain[r, (at - 1) % frames] if at >= 1 else gain
            loudness = _loudness(s, r, made[n, frame * FRAME : (frame + 1) * FRAME], at, rms_mix[r])
            for i in range(FRAME):
                j = frame * FRAME + i
                dry = s.sound[r, (first + j) % size] if first + j >= 0 else np.float32(0.0)
                if known[r]:
                    mix = old + (wet[r] - old) * np.float32((j + 1) / block)
                    through = before + (gain - before) * np.float32((i + 1) / FRAME)
                    sung = made[n, j] * through * np.float32(loudness) + s.held[r]
                    s.held[r] = s.held[r] * np.float32(HELD_FALL) if abs(s.held[r]) > 1e-6 else np.float32(0.0)
                    y[r, j] = dry + mix * (sung - dry)
                    s.last[r] = sung
                else:
                    y[r, j] = dry
                    s.last[r] = dry


@njit(nogil=True, cache=True, error_model="numpy")
def _loudness(s: Listening, r: int, made: Float, at: int, rms_mix: float) -> float:
    """What brings the loudness of a frame, by the half second before it, to that of the singer."""
    power = 0.0
    for i in range(FRAME):
        if not abs(made[i]) < LOUDEST:  # a network that has gone astray
            made[i] = np.float32(0.0)
        power += made[i] * made[i]
    s.sung[r, at % LOUDNESS_FRAMES] = power / FRAME
    if rms_mix >= 1.0:
        return 1.0
    frames = s.power.shape[1]
    heard, sung = 0.0, 0.0
    for back in range(LOUDNESS_FRAMES):
        if at - back >= 0:
            heard += s.power[r, (at - back) % frames]
            sung += s.sung[r, (at - back) % LOUDNESS_FRAMES]
    heard, sung = np.sqrt(heard / LOUDNESS_FRAMES), max(np.sqrt(sung / LOUDNESS_FRAMES), 1e-6)
    return float((heard / sung) ** (1.0 - rms_mix))
