"""A melody as notes: the most likely sequence of equal-tempered notes and rests under a pitch line.

A hidden Markov model as in Mauch et al., "Computer-aided Melody Note Transcription Using the Tony Software"
(TENOR 2015), reduced to one state for each semitone and one for silence: vibrato and glides stay within a note
because leaving it costs more than the frames beside it. Notes of the same pitch are divided where the voice
rests or its loudness dips between two syllables. The costs were chosen on songs of `bench.melodies` that its
benchmark never hears.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.karaoke.chart import HIGHEST, LOWEST, Note

Float = NDArray[np.float32]

SPREAD = 0.65  # semitones: standard deviation of what is sung around the middle of a note
FAR_COST = 12.0  # nats: the most that one frame can say against a note
SOUNDING_COST = 1.0  # of a rest where the tracker hears a pitch, and of a note where it hears none
CHANGE_COST = 4.0  # of going to another note
LEAP_COST = 0.12  # of each semitone beyond, up to an octave
REST_COST = 5.0  # of going to a rest, or from one to a note
SHORTEST_S = 0.08
DIP_DB = 5.0  # between two syllables on one pitch
DIP_S = 0.08  # on each side of it the voice is louder
VIBRATO_S = 0.18  # a cycle of it
TUNING_STEP = 0.05  # semitones


def segment(f0_hz: Float, loudness_db: Float, hop_s: float) -> tuple[Note, ...]:
    """Find the notes.

    Args:
        f0_hz: (frames,) 0 where nothing is sung.
        loudness_db: (frames,) of the voice, relative to anything.
        hop_s: seconds from one frame to the next.
    """
    voiced = f0_hz > 0
    if not voiced.any():
        return ()
    midi = np.full(len(f0_hz), np.nan)
    midi[voiced] = 69 + 12 * np.log2(f0_hz[voiced] / 440)
    midi -= tuning(_smooth(midi, round(VIBRATO_S / hop_s))[voiced])
    pitches = np.arange(LOWEST, HIGHEST + 1)
    state = _likeliest(_costs(midi, pitches), CHANGE_COST, LEAP_COST, REST_COST)
    notes: list[Note] = []
    edges = np.flatnonzero(np.diff(state)) + 1
    for first, last in zip([0, *edges], [*edges, len(state)], strict=True):
        if state[first] > 0:
            pitch = int(pitches[state[first] - 1])
            for begin, end in _syllables(loudness_db[first:last], hop_s):
                notes.append(Note(float(first + begin) * hop_s, float(first + end) * hop_s, pitch))
    return tuple(note for note in notes if note.end_s - note.start_s >= SHORTEST_S)


def tuning(midi: NDArray[np.floating]) -> float:
    """How far a singer is from 440 Hz, in semitones within ±0.5: where most of what is sung lies nearest."""
    offsets = np.arange(-0.5, 0.5, TUNING_STEP)
    fit = [np.mean(np.cos(2 * np.pi * (midi - offset))) for offset in offsets]
    return float(offsets[int(np.argmax(fit))])


def _smooth(midi: NDArray[np.floating], frames: int) -> NDArray[np.floating]:
    """Means over some frames, of those that have a pitch."""
    box, known = np.ones(frames), ~np.isnan(midi)
    total = np.convolve(np.nan_to_num(midi), box, "same")[: len(midi)]
    return total / np.maximum(np.convolve(known, box, "same")[: len(midi)], 1)


def _costs(midi: NDArray[np.floating], pitches: NDArray[np.integer]) -> NDArray[np.float64]:
    """(frames, 1 + pitches): what each frame says against a rest and against each note."""
    far = (midi[:, None] - pitches) / SPREAD
    costs = np.empty((len(midi), 1 + len(pitches)))
    silent = np.isnan(midi)
    costs[:, 0] = np.where(silent, 0.0, SOUNDING_COST)
    costs[:, 1:] = np.where(silent[:, None], SOUNDING_COST, np.minimum(0.5 * far**2, FAR_COST))
    return costs


@njit(cache=True)
def _likeliest(
    costs: NDArray[np.float64], change: float, leap: float, rest: float
) -> NDArray[np.int64]:  # pragma: no cover - compiled
    """The cheapest way through (frames, states); state 0 is the rest."""
    frames, states = costs.shape
    before = np.zeros((frames, states), np.int16)
    total = costs[0].copy()
    following = np.empty(states)
    for frame in range(1, frames):
        for state in range(states):
            best, origin = total[state], state
            for other in range(states):
                if other == state:
                    continue
                if state == 0 or other == 0:
                    cost = total[other] + rest
                else:
                    cost = total[other] + change + leap * min(12, abs(state - other))
                if cost < best:
                    best, origin = cost, other
            following[state] = best + costs[frame, state]
            before[frame, state] = origin
        total[:] = following
    path = np.empty(frames, np.int64)
    path[-1] = np.argmin(total)
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = before[frame, path[frame]]
    return path


def _syllables(loudness_db: Float, hop_s: float) -> list[tuple[int, int]]:
    """Divide a held pitch where the voice dips; frames from and to."""
    reach = max(1, round(DIP_S / hop_s))
    cuts, start = [0], reach
    while start < len(loudness_db) - reach:
        around = loudness_db[start - reach : start + reach + 1]
        here = loudness_db[start]
        if here == around.min() and min(around[:reach].max(), around[reach + 1 :].max()) - here > DIP_DB:
            cuts.append(start)
            start += reach
        else:
            start += 1
    return list(zip(cuts, [*cuts[1:], len(loudness_db)], strict=True))
