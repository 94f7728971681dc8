"""`classic`: a streaming source-filter converter that runs on anything.

Pitch-synchronous overlap-add (Moulines and Charpentier, "Pitch-synchronous waveform processing techniques",
Speech Communication 9, 1990) on grains whose spectra are filtered towards the target and resized in frequency.
Sound that is not voiced is laid down where it was, so consonants keep their timing to the sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from pipeline.converters.base import ControlRows
from pipeline.converters.classic.design import Scratch, Targets, make_scratch
from pipeline.converters.classic.hop import process_hop
from pipeline.converters.classic.prior import PRIOR, Prior
from pipeline.converters.classic.rows import Rows, open_rows, reset_row
from pipeline.converters.classic.voices import ClassicVoices
from pipeline.pitch import live
from pipeline.timbre import SAMPLE_RATE
from pipeline.vocoder.grains import Work, make_work
from pipeline.vocoder.stream import DELAY, HOP, Stream, open_stream, reset_stream

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


@njit(nogil=True, cache=True, error_model="numpy")
def _step(
    v: Stream,
    s: Rows,
    pitch: live.LiveState,
    t: Targets,
    prior: Prior,
    semitones: Float,
    auto: Bool,
    formant: Float,
    wet: Float,
    gate_db: Float,
    active: Bool,
    melody: Float,
    x: Float,
    y: Float,
    w: Work,
    c: Scratch,
    tables: live.Tables,
) -> None:
    """Convert; `melody` is (rows, hops) of known pitch, or (rows, 0) where it is to be tracked."""
    for r in range(x.shape[0]):
        if not active[r]:
            y[r] = 0.0
            continue
        for h in range(0, x.shape[1], HOP):
            block = x[r, h : h + HOP]
            if melody.shape[1] > 0:
                f0 = melody[r, h // HOP]
            else:
                f0, _ = live.track_hop(pitch, r, block, tables)
            rendered = y[r, h : h + HOP]
            process_hop(
                v, s, r, t, prior, semitones[r], auto[r], formant[r], wet[r], gate_db[r], f0,
                block, rendered, w, c,
            )  # fmt: skip


@dataclass
class ClassicState:
    """Stream state of `classic`, a row per stream; its parts say what is in it."""

    rows: int
    stream: Stream
    learnt: Rows
    pitch: live.LiveState
    output: Tensor
    unknown: Float  # (rows, 0): no pitch is known
    f0_in_hz: Tensor
    f0_out_hz: Tensor

    def reset(self, row: int) -> None:
        """Forget everything a row has heard."""
        reset_stream(self.stream, row)
        reset_row(self.learnt, row)
        live.reset_row(self.pitch, row)


class Classic:
    """Streaming source-filter voice conversion at 48 kHz, full band, on the CPU.

    Args:
        block: samples that a step usually takes; a multiple of `hop` (240, 5 ms).

    Raises:
        ValueError: a block that is not.
    """

    name = "classic"
    sample_rate = SAMPLE_RATE
    hop = HOP
    delay = DELAY

    def __init__(self, block: int = 480) -> None:
        if block <= 0 or block % HOP:
            raise ValueError(f"the block of `classic` must be a multiple of {HOP} samples, not {block}")
        self.block = block
        self._work = make_work()
        self._scratch = make_scratch()
        self._tables = live.make_tables()

    def open(self, rows: int) -> ClassicState:
        """Allocate the state of `rows` streams."""
        stream = open_stream(rows)
        return ClassicState(
            rows,
            stream,
            open_rows(rows),
            live.open_state(rows),
            torch.zeros(rows, self.block),
            np.zeros((rows, 0), np.float32),
            torch.from_numpy(stream.f0_in),
            torch.from_numpy(stream.f0_out),
        )

    def voice_rows(self, rows: int) -> ClassicVoices:
        """Make the targets of `rows` streams; until set, a row keeps the singer's own timbre."""
        return ClassicVoices(rows)

    def step(
        self,
        state: ClassicState,
        audio: Tensor,
        voices: ClassicVoices,
        controls: ControlRows,
        active: Tensor,
        f0_hz: Tensor | None = None,
    ) -> Tensor:
        """Convert (rows, samples) of audio; see `Converter.step`."""
        rows, samples = audio.shape
        if rows != state.rows or samples % HOP:
            raise ValueError(f"audio must be ({state.rows}, a multiple of {HOP}), not ({rows}, {samples})")
        if f0_hz is not None and f0_hz.shape != (rows, samples // HOP):
            raise ValueError(f"f0_hz must be ({rows}, {samples // HOP}), not {tuple(f0_hz.shape)}")
        if samples != state.output.shape[1]:
            state.output = torch.zeros(rows, samples)
        _step(
            state.stream,
            state.learnt,
            state.pitch,
            voices.targets,
            PRIOR,
            controls.pitch_semitones.numpy(),
            controls.auto_pitch.numpy(),
            controls.formant_semitones.numpy(),
            controls.dry_wet.numpy(),
            controls.gate_db.numpy(),
            active.numpy(),
            state.unknown if f0_hz is None else f0_hz.numpy(),
            audio.numpy(),
            state.output.numpy(),
            self._work,
            self._scratch,
            self._tables,
        )
        return state.output
