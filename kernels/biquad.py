"""Second-order filters in series, as streams."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def filter_block(
    sections: NDArray[np.float64], state: NDArray[np.float64], x: NDArray[np.float32], y: NDArray[np.float64]
) -> None:
    """Filter x (samples,) into y (samples,), transposed direct form II.

    Args:
        sections: (sections, 5) of b0, b1, b2, a1, a2; a0 is 1.
        state: (sections, 2), changed; zeros at the beginning of a stream.
        x: samples in.
        y: samples out.
    """
    for i in range(x.shape[0]):
        value = np.float64(x[i])
        for s in range(sections.shape[0]):
            b0, b1, b2, a1, a2 = sections[s]
            out = b0 * value + state[s, 0]
            state[s, 0] = b1 * value - a1 * out + state[s, 1]
            state[s, 1] = b2 * value - a2 * out
            value = out
        y[i] = value
    for s in range(sections.shape[0]):  # denormals would slow silence down
        for k in range(2):
            if abs(state[s, k]) < 1e-30:
                state[s, k] = 0.0
