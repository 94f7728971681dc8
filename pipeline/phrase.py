"""The phrase that voices are tried with: the one that the page sings for those without a microphone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.synthetic import rest, sing, vibrato

SAMPLE_RATE = 48_000
# MIDI note, seconds, vowel; note 0 is a rest; as in web_client/js/phrase.js
MELODY = (
    (57, 0.55, "a"), (60, 0.4, "e"), (64, 0.4, "i"), (62, 0.75, "a"), (0, 0.2, "a"),
    (60, 0.4, "u"), (62, 0.4, "a"), (65, 0.4, "e"), (64, 1.05, "a"), (0, 0.25, "a"),
    (60, 0.4, "i"), (59, 0.4, "u"), (57, 1.5, "a"), (0, 0.6, "a"),
)  # fmt: skip


def sung_phrase() -> NDArray[np.float32]:
    """(samples,) at SAMPLE_RATE; the same every time."""
    rng = np.random.default_rng(1)
    parts = []
    for midi, seconds, vowel in MELODY:
        hz = 440.0 * 2 ** ((midi - 69) / 12)
        line = vibrato(hz, seconds, SAMPLE_RATE, depth_cents=25.0) if midi else rest(seconds, SAMPLE_RATE)
        parts.append(sing(line, SAMPLE_RATE, rng, vowel=vowel, level=0.15))
    return np.concatenate(parts)
