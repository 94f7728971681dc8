"""From likelihoods to one pitch: a forward search for the best path, and a finer look at its end."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.pitch.views import PITCHES, STEPS

REACH = 14  # steps of pitch that a path may move from look to look
MOVE_COST = 0.25  # of log probability, for each of them
SWITCH_COST = 2.0  # for starting or ending voiced sound
LEAP_COST = 5.0  # for moving further than REACH
HIGH, HIGH_COST = 72, 5.0  # pitch (304 Hz) above which beginning costs more, and how much an octave
FORGET = 0.85  # what a path's past counts for
VOICED_BIAS = 3.5  # added to every pitch's log probability: a pitch too many costs less than one too few
LONGEST = 300  # samples at 48 kHz over which periods are counted
NEAR = 0.08  # fraction of the lag within which the exact one is looked for

Float = NDArray[np.float32]


@njit(nogil=True, cache=True, error_model="numpy")
def follow(score: Float, likely: Float, before: Float) -> int:
    """One step of a Viterbi search; returns the best end: a pitch, or PITCHES for none.

    Args:
        score: (PITCHES + 1,) of the paths so far; changed in place.
        likely: (PITCHES + 1,) log probabilities of this look.
        before: (PITCHES + 1,) scratch.
    """
    before[:] = score
    silent = before[PITCHES]
    voiced = before[0]
    for b in range(1, PITCHES):
        voiced = max(voiced, before[b])
    start = max(silent - np.float32(SWITCH_COST), voiced - np.float32(LEAP_COST))
    for b in range(PITCHES):
        # what begins is seldom high: of a low voice's first period, harmonics are all there is
        past = start - np.float32(HIGH_COST) * max(b - HIGH, 0) / np.float32(STEPS)
        for a in range(max(b - REACH, 0), min(b + REACH + 1, PITCHES)):
            past = max(past, before[a] - np.float32(MOVE_COST) * abs(a - b))
        score[b] = np.float32(FORGET) * past + likely[b] + np.float32(VOICED_BIAS)
    past = max(silent, voiced - np.float32(SWITCH_COST))
    score[PITCHES] = np.float32(FORGET) * past + likely[PITCHES]
    best = PITCHES
    for b in range(PITCHES):
        if score[b] > score[best]:
            best = b
    top = score[best]
    for b in range(PITCHES + 1):
        score[b] -= top
    return best


@njit(nogil=True, cache=True, error_model="numpy")
def centre(likely: Float, best: int) -> float:
    """The middle of the hill of probability around a pitch, in steps."""
    total, place = 0.0, 0.0
    for b in range(max(best - 2, 0), min(best + 3, PITCHES)):
        weight = np.exp(likely[b] - likely[best])
        total += weight
        place += weight * b
    return place / total


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def refine(recent: Float, energy: NDArray[np.float64], lag: float, shortest: int) -> tuple[float, float]:
    """The exact lag near a rough one, and how alike the sound is that far apart.

    Args:
        recent: (samples,) newest sound at 48 kHz.
        energy: (samples + 1,) sums of the squares before each sample.
        lag: a period in samples, rough.
        shortest: samples that are compared at least.

    Returns:
        The period in samples, and the normalised square difference there; 1 is periodic.
    """
    end = recent.shape[0]
    periods = max(int(LONGEST / lag), 1)
    rough = lag * periods
    reach = max(int(rough * NEAR), 2)
    near = int(rough + 0.5)
    window = max(2 * 480 - near, shortest)
    here = recent[end - window :]
    best, place = np.float32(-2.0), near
    left = middle = right = np.float32(0.0)
    last = older = np.float32(-2.0)
    for candidate in range(near - reach - 1, near + reach + 2):
        before = recent[end - window - candidate : end - candidate]
        product = np.float32(0.0)
        for i in range(window):
            product += here[i] * before[i]
        power = energy[end] - energy[end - window] + energy[end - candidate] - energy[end - window - candidate]
        value = np.float32(2.0 * product / (power + 1e-9))
        # a peak is known one candidate later
        if last > best and last >= older and last > value and candidate - 1 >= near - reach:
            best, place = last, candidate - 1
            left, middle, right = older, last, value
        older, last = last, value
    if best < 0.2:
        return lag, max(float(best), 0.0)
    bend = float(left - 2.0 * middle + right)
    part = 0.5 * float(left - right) / bend if bend < -1e-9 else 0.0
    return (place + min(0.5, max(-0.5, part))) / periods, min(float(best), 1.0)
