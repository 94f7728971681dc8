"""Packet-loss concealment: sound that goes on where a piece of it is missing, until the next one is heard.

The lost stretch is filled from what was heard last, like the pitch waveform replication of ITU-T G.711
Appendix I (1999): the period is found by normalised autocorrelation, and the last periods are repeated at full
level for a while and then faded. It differs in this:

- Nothing is delayed: where Appendix I holds its output back by 3.75 ms to overlap into the repetition, what was
  heard here has gone out already, and the repetition bends to meet it.
- The period is a fraction of a sample, so that harmonics do not drift.
- The sound behind the loss is known (a loss is concealed when a later packet waits for it), so the repetition
  is warped in time to reach it in phase, as a pitch that glides evenly would. For the matching of waveforms see
  Goodman et al., "Waveform substitution techniques for recovering missing speech segments in packet voice
  communications", IEEE Trans. ASSP 34(6), 1986.
- What has no period is played backwards: the spectrum of noise stays, and no repetition makes a buzz of it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Float = NDArray[np.float32]

FULL = 960  # samples (20 ms) at full level ...
SILENT = 2_880  # ... and from here on (60 ms) silence
OVERLAP = 240  # samples (5 ms) of crossfade into what is heard next
SHORTEST, LONGEST = 48, 1_200  # samples, periods of 1000 and 40 Hz
HISTORY = 2 * LONGEST + 16  # samples (50 ms) remembered
CYCLE = 240  # samples (5 ms) are repeated at least: one short period alone sounds like a machine
SEAM = 96  # samples (2 ms) within which the repetition bends away from the last sample heard
NOISE = 1_440  # samples (30 ms) that are played backwards, and forwards again
REACH = 120  # samples, the furthest that the repetition is warped ...
BEND = 0.06  # ... and how far at most against the length of the loss
PERIODIC = 0.5  # normalised autocorrelation from which sound counts as periodic
COARSE = 4  # the period is first looked for at a quarter of the rate


class Concealer:
    """One stream's concealment, 48 kHz mono.

    Everything that goes out, in order, passes through it: `join` what was heard, `conceal` what was not.
    """

    def __init__(self) -> None:
        self._history = np.zeros(HISTORY, np.float32)  # what went out last
        self._coarse = np.zeros(HISTORY // COARSE, np.float32)
        self._reach = np.zeros(2 * REACH + OVERLAP, np.float32)
        self._ahead = np.zeros(OVERLAP, np.float32)
        self._tail = np.zeros(OVERLAP, np.float32)  # how the concealment would go on
        self._left = 0  # samples of the tail that are not used yet
        self._matching = True  # whether the tail is in phase with what is heard next

    def reset(self) -> None:
        """Forget what was heard: another stream begins."""
        self._history[:] = 0
        self._left = 0

    def conceal(self, out: Pcm, ahead: Pcm) -> None:
        """Fill a loss.

        Args:
            out: (samples,) what is missing; filled, with silence from SILENT on.
            ahead: (samples,) what will be heard behind it, at best OVERLAP or more; the phase is aimed at it.
        """
        known = min(len(ahead), OVERLAP)
        self._ahead[:known] = ahead[:known]
        self._matching = _fill(
            self._history, out[:SILENT], self._ahead[:known], self._tail, self._coarse, self._reach
        )
        out[SILENT:] = 0
        self._left = OVERLAP
        self._remember(out)

    def join(self, heard: Pcm) -> Pcm:
        """Pass on what was heard.

        Returns:
            (samples,) the same array; a copy, faded over, where a concealment ended less than OVERLAP before.
        """
        if self._left:
            heard = heard.copy()
            mixed = min(self._left, len(heard))
            done = OVERLAP - self._left
            _mix(heard[:mixed], self._tail[done : done + mixed], done, self._matching)
            self._left -= mixed
        self._remember(heard)
        return heard

    def _remember(self, samples: Pcm) -> None:
        count = min(len(samples), HISTORY)
        if count:
            self._history[:-count] = self._history[count:]
            self._history[-count:] = samples[-count:]


def warm() -> None:
    """Compile (or load) the loops, so that the first loss of a session does not wait for it."""
    concealer = Concealer()
    sound = np.zeros(FULL, np.int16)
    concealer.join(sound)
    concealer.conceal(sound, np.zeros(OVERLAP, np.int16))
    concealer.join(sound)


@njit(nogil=True, cache=True)
def level(t: float) -> float:
    """Gain of the concealment `t` samples into the loss: 1, then along half a cosine to 0."""
    if t <= FULL:
        return 1.0
    if t >= SILENT:
        return 0.0
    return 0.5 + 0.5 * math.cos(math.pi * (t - FULL) / (SILENT - FULL))


@njit(nogil=True, cache=True, fastmath=True)
def likeness(x: Float, lag: int, window: int, mean: float) -> float:
    """Normalised autocorrelation at `lag` of the last `window` samples; 0 where there is no sound."""
    cross, here, there = np.float32(0.0), np.float32(0.0), np.float32(0.0)
    m = np.float32(mean)
    start = x.shape[0] - window
    for i in range(start, x.shape[0]):
        a, b = x[i] - m, x[i - lag] - m
        cross += a * b
        here += a * a
        there += b * b
    scale = math.sqrt(float(here) * float(there))
    return float(cross) / scale if scale > 1.0 else 0.0


@njit(nogil=True, cache=True, fastmath=True)
def find_period(history: Float, coarse: Float) -> tuple[float, float]:
    """The period at the end of `history`, by normalised autocorrelation at a quarter of the rate, then in full.

    Args:
        history: (HISTORY,) samples.
        coarse: (HISTORY // COARSE,) scratch.

    Returns:
        The period in samples (SHORTEST .. LONGEST), and the autocorrelation there (-1 .. 1; 0 in silence).
    """
    mean = np.float32(0.0)
    for i in range(coarse.shape[0]):
        total = np.float32(0.0)
        for j in range(COARSE):
            total += history[COARSE * i + j]
        coarse[i] = total / COARSE
        mean += coarse[i]
    mean /= coarse.shape[0]
    low, high = SHORTEST // COARSE, LONGEST // COARSE
    best = 0.0
    for lag in range(low, high + 1):
        best = max(best, likeness(coarse, lag, 240, mean))
    if best <= 0.0:
        return float(SHORTEST), 0.0
    chosen, before, here = low, -1.0, likeness(coarse, low, 240, mean)
    for lag in range(low, high + 1):  # the first peak that is nearly the highest: no multiple of the period
        after = likeness(coarse, lag + 1, 240, mean)
        if here >= 0.9 * best and here >= before and here >= after:
            chosen = lag
            break
        before, here = here, after
    window = min(max(2 * COARSE * chosen, OVERLAP), LONGEST)
    centre, peak = COARSE * chosen, -1.0
    for lag in range(max(COARSE * chosen - COARSE, SHORTEST), min(COARSE * chosen + COARSE, LONGEST) + 1):
        value = likeness(history, lag, window, mean)
        if value > peak:
            centre, peak = lag, value
    left, right = likeness(history, centre - 1, window, mean), likeness(history, centre + 1, window, mean)
    curve = left - 2.0 * peak + right
    shift = 0.5 * (left - right) / curve if curve < 0.0 else 0.0
    period = centre + min(max(shift, -0.5), 0.5)
    return min(max(period, float(SHORTEST)), float(LONGEST)), peak


@njit(nogil=True, cache=True)
def _at(x: Float, place: float) -> float:
    """Between samples, by cubic Hermite (Catmull-Rom) interpolation; held beyond the ends."""
    last = x.shape[0] - 1
    i = int(math.floor(place))
    u = place - i
    a, b = x[min(max(i - 1, 0), last)], x[min(max(i, 0), last)]
    c, d = x[min(max(i + 1, 0), last)], x[min(max(i + 2, 0), last)]
    value: float = b + 0.5 * u * (c - a + u * (2.0 * a - 5.0 * b + 4.0 * c - d + u * (3.0 * (b - c) + d - a)))
    return value


@njit(nogil=True, cache=True)
def _repeated(history: Float, t: float, cycle: float, edge: float) -> float:
    """The last `cycle` samples over and over, each joined to the next over `edge` samples."""
    u = t - cycle * math.floor(t / cycle)
    start = history.shape[0] - cycle
    value = _at(history, start + u)
    if u > cycle - edge:
        g = (u - cycle + edge) / edge
        value += g * (_at(history, start - cycle + u) - value)
    return value


@njit(nogil=True, cache=True)
def _mirrored(history: Float, t: int) -> float:
    """The last NOISE samples backwards, then forwards, and so on."""
    u = t % (2 * NOISE)
    last = history.shape[0] - 1
    return float(history[last - u] if u < NOISE else history[last - 2 * NOISE + 1 + u])


@njit(nogil=True, cache=True)
def _warp(
    history: Float, gap: int, cycle: float, edge: float, period: float, ahead: Float, reach: Float
) -> int:
    """How many samples further the repetition should be at the loss's end, to be in phase with `ahead`."""
    known = ahead.shape[0]
    furthest = min(REACH, int(BEND * gap), int(0.5 * period))
    if known < OVERLAP // 4 or furthest < 1 or gap >= SILENT:
        return 0
    for i in range(2 * furthest + known):
        reach[i] = _repeated(history, gap - furthest + i, cycle, edge)
    best, chosen = 0.3, 0
    for shift in range(-furthest, furthest + 1):
        cross, here, there = 0.0, 0.0, 1.0
        for i in range(known):
            a, b = reach[furthest + shift + i], ahead[i]
            cross += a * b
            here += a * a
            there += b * b
        value = cross / math.sqrt(here * there) if here > 1.0 else 0.0
        value *= 1.0 - 0.1 * abs(shift) / furthest  # of equals, the nearest
        if value > best:
            best, chosen = value, shift
    return chosen


@njit(nogil=True, cache=True)
def _fill(history: Float, out: Pcm, ahead: Float, tail: Float, coarse: Float, reach: Float) -> bool:
    """Write the concealment of a loss and how it would go on; True where it is periodic."""
    gap, size = out.shape[0], history.shape[0]
    period, peak = find_period(history, coarse)
    periodic = peak >= PERIODIC
    cycle = period * math.ceil(CYCLE / period)
    edge = 0.25 * period
    bend, shift = 0.0, 0.0
    if periodic:
        bend = history[size - 1] - _at(history, size - 1 - cycle)
        shift = float(_warp(history, gap, cycle, edge, period, ahead, reach))
    for i in range(gap + OVERLAP):
        gain = level(i)
        value = 0.0
        if gain > 0.0:
            if periodic:
                t = i + shift * (min(i / gap, 1.0) ** 2)
                value = _repeated(history, t, cycle, edge)
                if i < SEAM:
                    value += bend * (0.5 + 0.5 * math.cos(math.pi * (i + 1) / SEAM))
            else:
                value = _mirrored(history, i)
        value *= gain
        if i < gap:
            out[i] = np.int16(min(max(round(value), -32768.0), 32767.0))
        else:
            tail[i - gap] = value
    return periodic


@njit(nogil=True, cache=True)
def _mix(heard: Pcm, tail: Float, done: int, matching: bool) -> None:
    """Fade from `tail` to `heard`, `done` samples into the OVERLAP: by sum where they match, else by power."""
    for i in range(heard.shape[0]):
        r = (done + i + 1) / (OVERLAP + 1)
        up = 0.5 - 0.5 * math.cos(math.pi * r) if matching else math.sin(0.5 * math.pi * r)
        down = 1.0 - up if matching else math.cos(0.5 * math.pi * r)
        value = up * heard[i] + down * tail[i]
        heard[i] = np.int16(min(max(round(value), -32768.0), 32767.0))
