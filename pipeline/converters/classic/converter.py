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

from kernels.hands import Hands
from pipeline.converters.base import ControlRows, check_block
from pipeline.converters.classic.design import Scratch, Targets, make_scratch
from pipeline.converters.classic.hop import process_hop
from pipeline.converters.classic.prior import PRIOR, Prior
from pipeline.converters.classic.rows import Rows, open_rows, reset_row
from pipeline.converters.classic.voices import ClassicVoices
from pipeline.pitch import live
from pipeline.timbre import SAMPLE_RATE
from pipeline.vocoder.grains import Work, make_work
from pipeline.vocoder.stream import DELAY, HOP, Stream, open_stream, reset_stream
from pipeline.voice import Target

Float = NDArray[np.float32]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
Tools = tuple[Work, Scratch, live.Tables]


@njit(nogil=True, cache=True, error_model="numpy")
def _step(
    rows: Int,
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
    melody: Float,
    x: Float,
    y: Float,
    w: Work,
    c: Scratch,
    tables: live.Tables,
) -> None:
    """Convert `rows`; `melody` is (all rows, hops) of known pitch, or (all rows, 0) if it is to be tracked."""
    for r in rows:
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
        threads: how many share the rows of a step.

    Raises:
        ValueError: a block that is not, or no threads.
    """

    name = "classic"
    trouble: str | None = None
    sample_rate = SAMPLE_RATE
    hop = HOP
    delay = DELAY

    def __init__(self, block: int = 480, threads: int = 1) -> None:
        if block <= 0 or block % HOP:
            raise ValueError(f"the block of `classic` must be a multiple of {HOP} samples, not {block}")
        self.block = block
        self._hands = Hands(threads, lambda: (make_work(), make_scratch(), live.make_tables()))

    def prepare(self, voice: Target) -> None:
        """Everything is here already."""

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
        check_block(state.rows, audio, HOP, f0_hz)
        if audio.shape != state.output.shape:
            state.output = torch.zeros(audio.shape)
        state.output[~active] = 0
        rows = np.flatnonzero(active.numpy())

        def convert(start: int, end: int, tools: Tools) -> None:
            _step(
                rows[start:end],
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
                state.unknown if f0_hz is None else f0_hz.numpy(),
                audio.numpy(),
                state.output.numpy(),
                *tools,
            )

        self._hands.share(len(rows), convert)
        return state.output
