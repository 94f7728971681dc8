"""`native`: a small neural network tells what the target would sound like, the singer's own grains say it.

Every 10 ms one grain of each singer is measured; the network, batched over all singers, answers with the
spectral envelope that the target would have had, and the overlap-add of `pipeline.vocoder` reshapes the
singer's grains to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from kernels.hands import Hands
from pipeline.converters.base import ControlRows, check_block
from pipeline.converters.native.device import DeviceEnvelopes
from pipeline.converters.native.envelopes import Envelopes, Renderer
from pipeline.converters.native.frames import FRAME, Frames, find_marks, measure, open_frames, reset_frames
from pipeline.converters.native.spare import SparedEnvelopes
from pipeline.converters.native.synthesis import design, lay
from pipeline.converters.native.voices import NativeVoices
from pipeline.converters.native.weights import Weights, load_weights
from pipeline.pitch import live
from pipeline.timbre import BANDS, SAMPLE_RATE
from pipeline.vocoder.controls import follow_pitch, follow_size, give, octaves_apart, take_hop
from pipeline.vocoder.grains import Work, make_work
from pipeline.vocoder.stream import DELAY, HOP, Stream, open_stream, reset_stream
from pipeline.voice import Target

Float = NDArray[np.float32]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
Tools = tuple[Work, live.Tables]


@njit(nogil=True, cache=True, error_model="numpy")
def _listen(
    rows: Int,
    v: Stream,
    f: Frames,
    pitch: live.LiveState,
    prior: Float,
    known: Bool,
    log_f0: NDArray[np.float64],
    semitones: Float,
    auto: Bool,
    formant: Float,
    gate_db: Float,
    melody: Float,
    x: Float,
    w: Work,
    tables: live.Tables,
) -> None:
    """Take and measure FRAME samples of each of `rows`; `melody` is (rows, hops), or (rows, 0) if unknown."""
    for r in rows:
        for h in range(FRAME // HOP):
            hop = x[r, h * HOP : (h + 1) * HOP]
            if melody.shape[1] > 0:
                f0 = melody[r, h]
            else:
                f0, _ = live.track_hop(pitch, r, hop, tables)
            take_hop(v, r, hop, gate_db[r], f0)
            find_marks(v, r, f)
        measure(v, r, f, prior, w)
        if f.f0[r] > 0.0:
            v.log_f0[r, 0] += FRAME / SAMPLE_RATE * np.log2(f.f0[r])
            v.log_f0[r, 1] += FRAME / SAMPLE_RATE
        follow_pitch(v, r, octaves_apart(v, r, known[r], log_f0[r]), semitones[r], auto[r])
        follow_size(v, r, 2.0 ** (formant[r] / 12.0))


@njit(nogil=True, cache=True, error_model="numpy")
def _sing(
    rows: Int, v: Stream, f: Frames, known: Bool, top: Int, wanted: Float, wet: Float, y: Float, w: Work
) -> None:
    """Give FRAME samples of each of `rows`, reshaped to `wanted` (n, BANDS)."""
    for i in range(len(rows)):
        r = rows[i]
        if known[r]:
            design(v, r, f, wanted[i], top[r], w)
        else:
            design(v, r, f, f.own[r], BANDS, w)
        lay(v, r, f, w)
        give(v, r, wet[r], y[r])


@dataclass
class NativeState:
    """Stream state of `native`, a row per stream; its parts say what is in it."""

    rows: int
    stream: Stream
    frames: Frames
    pitch: live.LiveState
    memory: Any  # of the network
    output: Tensor
    unknown: Float  # (rows, 0): no pitch is known
    f0_in_hz: Tensor
    f0_out_hz: Tensor

    def reset(self, row: int) -> None:
        """Forget everything a row has heard."""
        reset_stream(self.stream, row)
        reset_frames(self.frames, row)
        live.reset_row(self.pitch, row)
        self.memory.reset(row)


class Native:
    """Streaming neural voice conversion at 48 kHz.

    Args:
        block: samples that a step usually takes; a multiple of `hop` (480, 10 ms).
        weights: the network; the shipped one without.
        threads: how many share the rows of a step.
        device: where the network runs: "cpu", or a GPU such as "cuda" or "cuda:1".
        precise: compute in float32 on a GPU, too, rather than in bfloat16.
        graphs: replay recorded CUDA graphs there.
        spare: go on, on the CPU, when the GPU is lost or full.

    Raises:
        ValueError: a block that is not, or no threads.
    """

    name = "native"
    sample_rate = SAMPLE_RATE
    hop = FRAME
    delay = DELAY

    def __init__(
        self,
        block: int = 480,
        weights: Weights | None = None,
        threads: int = 1,
        device: str = "cpu",
        *,
        precise: bool = False,
        graphs: bool = True,
        spare: bool = False,
    ) -> None:
        if block <= 0 or block % FRAME:
            raise ValueError(f"the block of `native` must be a multiple of {FRAME} samples, not {block}")
        self.block = block
        self._weights = weights or load_weights()
        net = self._weights.net
        self._envelopes: Renderer = Envelopes(net)
        if device != "cpu":
            dtype = torch.float32 if precise else torch.bfloat16
            make = partial(DeviceEnvelopes, net, device, dtype, graphs)
            self._envelopes = SparedEnvelopes(make, Envelopes(net)) if spare else make()
        self._hands = Hands(
            threads, lambda: (make_work(), live.make_tables()), prepare=partial(torch.set_num_threads, 1)
        )

    @property
    def trouble(self) -> str | None:
        """Why the network runs on the CPU, where it should not."""
        return self._envelopes.trouble

    def prepare(self, voice: Target) -> None:
        """Everything is here already."""

    def open(self, rows: int) -> NativeState:
        """Allocate the state of `rows` streams."""
        stream = open_stream(rows)
        return NativeState(
            rows,
            stream,
            open_frames(rows),
            live.open_state(rows),
            self._envelopes.open(rows),
            torch.zeros(rows, self.block),
            np.zeros((rows, 0), np.float32),
            torch.from_numpy(stream.f0_in),
            torch.from_numpy(stream.f0_out),
        )

    def voice_rows(self, rows: int) -> NativeVoices:
        """Make the targets of `rows` streams; until set, a row keeps the singer's own voice."""
        return NativeVoices(rows, self._weights.net.size, self._weights.net.reader)

    def step(
        self,
        state: NativeState,
        audio: Tensor,
        voices: NativeVoices,
        controls: ControlRows,
        active: Tensor,
        f0_hz: Tensor | None = None,
    ) -> Tensor:
        """Convert (rows, samples) of audio; see `Converter.step`."""
        check_block(state.rows, audio, FRAME, f0_hz)
        samples = audio.shape[1]
        if audio.shape != state.output.shape:
            state.output = torch.zeros(audio.shape)
        state.output[~active] = 0
        sung = np.flatnonzero(active.numpy())
        x, y = audio.numpy(), state.output.numpy()
        for start in range(0, samples, FRAME):
            hops = slice(start // HOP, (start + FRAME) // HOP)
            melody = state.unknown if f0_hz is None else f0_hz.numpy()[:, hops]
            frame = slice(start, start + FRAME)
            self._frame(state, sung, x[:, frame], voices, controls, melody, y[:, frame])
        return state.output

    def _frame(
        self,
        state: NativeState,
        rows: Int,
        x: Float,
        voices: NativeVoices,
        controls: ControlRows,
        melody: Float,
        y: Float,
    ) -> None:
        """Convert one frame of each of `rows`, shared among the hands."""
        if not len(rows):
            return

        def listen(start: int, end: int, tools: Tools) -> None:
            _listen(
                rows[start:end],
                state.stream,
                state.frames,
                state.pitch,
                self._weights.prior,
                voices.known,
                voices.log_f0,
                controls.pitch_semitones.numpy(),
                controls.auto_pitch.numpy(),
                controls.formant_semitones.numpy(),
                controls.gate_db.numpy(),
                melody,
                x,
                *tools,
            )

        def sing(start: int, end: int, tools: Tools) -> None:
            _sing(
                rows[start:end],
                state.stream,
                state.frames,
                voices.known,
                voices.top,
                wanted[start:end],
                controls.dry_wet.numpy(),
                y,
                tools[0],
            )

        def render(start: int, end: int) -> None:
            some = rows[start:end]
            ratio = state.stream.ratio
            wanted[start:end] = self._envelopes.render(state.memory, some, state.frames, ratio, voices)

        def convert(start: int, end: int, tools: Tools) -> None:
            listen(start, end, tools)
            render(start, end)
            sing(start, end, tools)

        wanted = np.empty((len(rows), BANDS), np.float32)
        if self._envelopes.together:
            self._hands.share(len(rows), listen)
            render(0, len(rows))
            self._hands.share(len(rows), sing)
        else:
            self._hands.share(len(rows), convert)
