"""`native`: a small neural network tells what the target would sound like, the singer's own grains say it.

Every 10 ms one grain of each singer is measured; the network, batched over all singers, answers with the
spectral envelope that the target would have had, and the overlap-add of `pipeline.vocoder` reshapes the
singer's grains to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from pipeline.content import HEARD, Past, StreamedBlocks, encoder_inputs
from pipeline.converters.base import F0_HOP, ControlRows
from pipeline.converters.native.frames import FRAME, Frames, find_marks, measure, open_frames, reset_frames
from pipeline.converters.native.network import decoder_inputs, pitch_features
from pipeline.converters.native.synthesis import design, lay
from pipeline.converters.native.voices import NativeVoices
from pipeline.converters.native.weights import Weights, load_weights
from pipeline.pitch import live
from pipeline.timbre import BANDS, SAMPLE_RATE
from pipeline.vocoder.controls import follow_pitch, follow_size, give, octaves_apart, take_hop
from pipeline.vocoder.grains import Work, make_work
from pipeline.vocoder.stream import DELAY, HOP, Stream, open_stream, reset_stream

SHARPEN = 3.0  # of the envelope over frequency: grains are two periods long, and filters short, which blurs it

Float = NDArray[np.float32]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


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
    heard: Past  # of the encoder
    said: Past  # of the decoder
    output: Tensor
    unknown: Float  # (rows, 0): no pitch is known
    f0_in_hz: Tensor
    f0_out_hz: Tensor

    def reset(self, row: int) -> None:
        """Forget everything a row has heard."""
        reset_stream(self.stream, row)
        reset_frames(self.frames, row)
        live.reset_row(self.pitch, row)
        self.heard.reset(row)
        self.said.reset(row)


class Native:
    """Streaming neural voice conversion at 48 kHz.

    Args:
        block: samples that a step usually takes; a multiple of `hop` (480, 10 ms).
        weights: the network; the shipped one without.

    Raises:
        ValueError: a block that is not.
    """

    name = "native"
    sample_rate = SAMPLE_RATE
    hop = FRAME
    delay = DELAY

    def __init__(self, block: int = 480, weights: Weights | None = None) -> None:
        if block <= 0 or block % FRAME:
            raise ValueError(f"the block of `native` must be a multiple of {FRAME} samples, not {block}")
        self.block = block
        self._weights = weights or load_weights()
        self._encoder = StreamedBlocks(self._weights.net.encoder.body)
        self._decoder = StreamedBlocks(self._weights.net.decoder.body)
        self._work = make_work()
        self._tables = live.make_tables()

    def open(self, rows: int) -> NativeState:
        """Allocate the state of `rows` streams."""
        stream = open_stream(rows)
        return NativeState(
            rows,
            stream,
            open_frames(rows),
            live.open_state(rows),
            self._encoder.open(rows),
            self._decoder.open(rows),
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
        rows, samples = audio.shape
        if rows != state.rows or samples % FRAME:
            raise ValueError(f"audio must be ({state.rows}, a multiple of {FRAME}), not ({rows}, {samples})")
        if f0_hz is not None and f0_hz.shape != (rows, samples // F0_HOP):
            raise ValueError(f"f0_hz must be ({rows}, {samples // F0_HOP}), not {tuple(f0_hz.shape)}")
        if samples != state.output.shape[1]:
            state.output = torch.zeros(rows, samples)
        state.output[~active] = 0
        sung = np.flatnonzero(active.numpy())
        x, y = audio.numpy(), state.output.numpy()
        for start in range(0, samples, FRAME):
            hops = slice(start // HOP, (start + FRAME) // HOP)
            melody = state.unknown if f0_hz is None else f0_hz.numpy()[:, hops]
            frame = slice(start, start + FRAME)
            with torch.inference_mode():
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
        _listen(
            rows,
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
            self._work,
            self._tables,
        )
        wanted = self._envelopes(state, rows, voices)
        _sing(
            rows,
            state.stream,
            state.frames,
            voices.known,
            voices.top,
            wanted,
            controls.dry_wet.numpy(),
            y,
            self._work,
        )

    def _envelopes(self, state: NativeState, rows: Int, voices: NativeVoices) -> Float:
        """The shapes (n, BANDS) that the targets of the n `rows` would have now."""
        f, net, index = state.frames, self._weights.net, torch.from_numpy(rows)
        shape, average, level, f0 = (torch.from_numpy(a[rows]) for a in (f.shape, f.average, f.level, f.f0))
        heard = net.encoder.first(encoder_inputs(shape, level, f0, average))
        content = net.encoder.finish(self._encoder.step(heard, state.heard, rows))
        pitch = pitch_features(f0 * torch.from_numpy(state.stream.ratio[rows]).float())
        read, mean = voices.read(rows, net.reader.queries(content, pitch))
        said = net.decoder.first(decoder_inputs(content, level, pitch, read, mean, voices.summary[index]))
        out = net.decoder.finish(self._decoder.step(said, state.said, rows), mean)
        out = out - out[:, :HEARD].mean(1, keepdim=True)
        kind = (f0 > 0).long()
        wanted = torch.addcmul(voices.offset[index, kind], out, voices.scale[index, kind])
        sharp: Float = (wanted + SHARPEN * (wanted - _blurred(wanted))).numpy()
        return sharp


def _blurred(shapes: Tensor) -> Tensor:
    """(n, BANDS) smoothed over neighbouring bands."""
    wide = torch.cat((shapes[:, :1], shapes, shapes[:, -1:]), 1)
    return 0.25 * wide[:, :-2] + 0.5 * shapes + 0.25 * wide[:, 2:]
