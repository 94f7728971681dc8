"""The frequency bands in which voices are described."""

from __future__ import annotations

import numpy as np

BANDS = 48
SAMPLE_RATE = 48_000
_LOW_HZ, _HIGH_HZ = 60.0, 20_000.0


def erb_rate(hz: float) -> float:
    """Number of equivalent rectangular bandwidths below `hz` (Glasberg and Moore, 1990)."""
    return float(21.4 * np.log10(1 + 0.00437 * hz))


_RATES = np.linspace(erb_rate(_LOW_HZ), erb_rate(_HIGH_HZ), BANDS)
BAND_CENTRES_HZ = ((10 ** (_RATES / 21.4) - 1) / 0.00437).astype(np.float32)
