"""Streaming sample-rate conversion through soxr."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

Float = NDArray[np.float32]


class StreamResampler:
    """Converts a stream from one rate to another, block by block, as one call on the whole would.

    Args:
        source_rate: Hz in.
        target_rate: Hz out.
        channels: interleaved channels of a block.

    Raises:
        ValueError: a rate that is not positive.
    """

    def __init__(self, source_rate: int, target_rate: int, channels: int = 1) -> None:
        if source_rate <= 0 or target_rate <= 0:
            raise ValueError(f"sample rates must be positive, not {source_rate} and {target_rate} Hz")
        self._same = source_rate == target_rate
        self._stream = soxr.ResampleStream(source_rate, target_rate, channels, dtype="float32", quality="HQ")

    def push(self, block: Float) -> Float:
        """Give (samples,) or (samples, channels); get what is ready, in the same layout."""
        return block if self._same else self._stream.resample_chunk(block)

    def finish(self, block: Float) -> Float:
        """Give the last samples and get all that is left."""
        return block if self._same else self._stream.resample_chunk(block, last=True)
