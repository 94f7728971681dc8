"""Repair of octave errors in a pitch line: a tracker's slips by twelve semitones, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

JUMP = 5.0  # semitones between two frames: another piece begins
SHIFTS = np.array([0.0, -12.0, 12.0])
SHIFT_COST = 8.0  # of moving a piece ...
SECOND_COST = 10.0  # ... and of each second of it: the longer, the less likely an error
LEAP_COST = 1.0  # of each semitone between neighbours
FORGET_S = 1.5  # a rest so long makes a leap count for a third


def repair(f0_hz: Float, hop_s: float) -> Float:
    """Move the pieces of a pitch line by octaves where that makes the whole more likely.

    Args:
        f0_hz: (frames,) 0 where nothing is sung.
        hop_s: seconds from one frame to the next.

    Returns:
        (frames,) as f0_hz.
    """
    pieces = _pieces(f0_hz)
    if len(pieces) < 3:
        return f0_hz
    ends = [12 * np.log2(f0_hz[[first, last - 1]]) for first, last in pieces]
    total, back = SHIFT_COST * (SHIFTS != 0), []
    total = total + SECOND_COST * (SHIFTS != 0) * (pieces[0][1] - pieces[0][0]) * hop_s
    for index in range(1, len(pieces)):
        (first, last), gap = pieces[index], pieces[index][0] - pieces[index - 1][1]
        leap = np.abs((ends[index][0] + SHIFTS)[None] - (ends[index - 1][1] + SHIFTS)[:, None])
        ways = total[:, None] + LEAP_COST * leap / (1 + 2 * gap * hop_s / FORGET_S)
        back.append(np.argmin(ways, 0))
        own = SHIFT_COST + SECOND_COST * (last - first) * hop_s
        total = ways.min(0) + own * (SHIFTS != 0)
    choice = int(np.argmin(total))
    repaired = f0_hz.copy()
    for index in range(len(pieces) - 1, -1, -1):
        first, last = pieces[index]
        repaired[first:last] *= np.float32(2 ** (SHIFTS[choice] / 12))
        if index:
            choice = int(back[index - 1][choice])
    return repaired


def _pieces(f0_hz: Float) -> list[tuple[int, int]]:
    """Runs of voiced frames without a jump: first and one past the last."""
    voiced = f0_hz > 0
    semitones = 12 * np.log2(np.where(voiced, f0_hz, 1))
    starts = voiced.copy()
    starts[1:] &= ~voiced[:-1] | (np.abs(np.diff(semitones)) > JUMP)
    firsts = np.flatnonzero(starts)
    gone = np.append(np.flatnonzero(~voiced), len(f0_hz))
    following = np.append(firsts[1:], len(f0_hz))
    return [
        (int(first), int(min(after, gone[np.searchsorted(gone, first)])))
        for first, after in zip(firsts, following, strict=True)
    ]
