"""The targets of all rows, as `classic` reads them: one voice each, or two blended."""

from __future__ import annotations

import numpy as np

from pipeline.converters.blend import bands_known_of, between, check_share, known_bands
from pipeline.converters.classic.design import Targets
from pipeline.converters.classic.prior import CLASSES
from pipeline.timbre import BANDS
from pipeline.voice import Target, Voice, measured


class ClassicVoices:
    """The target of each row; until set, a row keeps the singer's own voice.

    A blend lies between the log spectra of the two voices, and between their pitches in octaves.
    """

    def __init__(self, rows: int) -> None:
        self._first: list[Voice | None] = [None] * rows
        self.targets = Targets(
            known=np.zeros(rows, np.bool_),
            mean=np.zeros((rows, 2, BANDS), np.float32),
            classes=np.zeros((rows, CLASSES, BANDS), np.float32),
            breath=np.zeros((rows, BANDS), np.float32),
            log_f0=np.zeros(rows),
            top=np.zeros(rows, np.int64),
        )

    def set(self, row: int, voice: Target) -> None:
        """Give a row its target; filters move there over the next grains."""
        first = measured(voice)
        self._mix(row, first, first, 0.0)
        self._first[row] = first
        self.targets.known[row] = True

    def clear(self, row: int) -> None:
        """Let a row keep the singer's own voice again."""
        self._first[row] = None
        self.targets.known[row] = False

    def blend(self, row: int, voice: Voice | None, share: float) -> None:
        """Sing a share of a second voice; see `VoiceRows.blend`. Filters move there over the next grains."""
        share, first = check_share(share), self._first[row]
        if first is None:
            if voice is not None:
                raise ValueError(f"row {row} has no voice to blend {voice.name!r} with")
        elif voice is None:
            self._mix(row, first, first, 0.0)
        else:
            self._mix(row, first, voice, share)

    def _mix(self, row: int, first: Voice, second: Voice, share: float) -> None:
        t, one, two = self.targets, first.timbre, second.timbre
        t.classes[row] = between(one.classes, two.classes, share)
        t.mean[row, 0] = between(one.unvoiced, two.unvoiced, share)
        t.mean[row, 1] = between(one.voiced, two.voiced, share)
        t.breath[row] = between(one.breath, two.breath, share)
        t.log_f0[row] = between(float(np.log2(first.median_f0_hz)), float(np.log2(second.median_f0_hz)), share)
        t.top[row] = bands_known_of(known_bands(first), known_bands(second), share)
