"""A whole recording through the live path: the same steps that a session takes, block by block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.converters.base import ControlRows, Controls, Converter
from pipeline.converters.blend import Blend
from pipeline.voice import Target


def convert_recording(
    converter: Converter,
    audio: NDArray[np.float32],
    voice: Target | None,
    controls: Controls | None = None,
    progress: Callable[[float], None] | None = None,
    blend: Blend | None = None,
) -> NDArray[np.float32]:
    """Convert a recording and take the delay away.

    Args:
        converter: any converter; one row of it is used.
        audio: (samples,) float32 at `converter.sample_rate`.
        voice: the target, or None to keep the singer's own.
        controls: what a singer would have set; the defaults without.
        progress: called with the fraction done, about a hundred times.
        blend: a second voice, and how much of it is sung.

    Returns:
        (samples,) float32, aligned with the input.

    Raises:
        ValueError: a blend without a voice.
    """
    state, rows, settings = converter.open(1), converter.voice_rows(1), ControlRows(1)
    if voice is not None:
        rows.set(0, voice)
    if blend is not None:
        rows.blend(0, blend.voice, blend.share)
    settings.set(0, controls or Controls())
    block = converter.block
    blocks = -(-(len(audio) + converter.delay) // block)
    padded = torch.zeros(1, blocks * block)
    padded[0, : len(audio)] = torch.from_numpy(np.ascontiguousarray(audio, np.float32))
    result = torch.empty(blocks * block)
    active = torch.ones(1, dtype=torch.bool)
    for i in range(blocks):
        place = slice(i * block, (i + 1) * block)
        result[place] = converter.step(state, padded[:, place], rows, settings, active)[0]
        if progress is not None and i % max(1, blocks // 100) == 0:
            progress(i / blocks)
    return result[converter.delay : converter.delay + len(audio)].numpy()
