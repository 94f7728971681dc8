"""`rvc`: voices that people have trained with RVC, streamed: many rows, many models, one content encoder."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.converters.base import ControlRows, check_block
from pipeline.converters.rvc.architecture import Architecture
from pipeline.converters.rvc.batch import Batch
from pipeline.converters.rvc.choir import Choir
from pipeline.converters.rvc.listening import Listening, give, listen, open_listening, reset_listening
from pipeline.converters.rvc.rows import Models, RvcVoices
from pipeline.converters.rvc.singing import Content
from pipeline.converters.rvc.timing import LIVE, SAMPLE_RATE, Timing
from pipeline.converters.rvc.voice import RvcVoice
from pipeline.errors import PipelineError
from pipeline.pitch import live
from pipeline.voice import Target

log = logging.getLogger(__name__)

Float = NDArray[np.float32]
Int = NDArray[np.int64]


class VoiceTooSlow(PipelineError):
    """A voice that this machine cannot sing in real time."""

    code = "voice_not_ready"


class VoiceNotLoaded(PipelineError):
    """A voice for which the device has no room, or that this content encoder does not serve."""

    code = "voice_not_ready"


@dataclass
class RvcState:
    """Stream state of `rvc`, a row per stream; what a model needs is made when it first sings."""

    rows: int
    listening: Listening
    pitch: live.LiveState
    tables: live.Tables
    output: Tensor
    unknown: Float  # (rows, 0): no pitch is known
    f0_in_hz: Tensor
    f0_out_hz: Tensor
    choir: Choir | None = None

    def reset(self, row: int) -> None:
        """Forget everything a row has heard."""
        reset_listening(self.listening, row)
        live.reset_row(self.pitch, row)
        if self.choir is not None:
            self.choir.reset(row)


class Rvc:
    """Streaming conversion to RVC voices at 48 kHz.

    Args:
        content: makes the content encoder when the first voice sings; see `pipeline.content_vec`.
        timing: how streams are cut; `WHOLE` for songs.
        device: where the networks run: "cpu", or a GPU such as "cuda" or "cuda:1".
        dtype: what they compute in; float32 on a CPU.
        graphs: replay recorded CUDA graphs on a GPU.
        spare: go on, on the CPU, when the device is lost or full. It has not heard what the device has, which
            can be heard for a second or so.
        slowest: share of a block's time that one singer's step may take on a CPU; a voice that takes more is
            refused when it is prepared, before it disturbs those who sing. 0: as slow as it likes.
    """

    name = "rvc"
    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        content: Callable[[torch.device, torch.dtype], Content],
        timing: Timing = LIVE,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        graphs: bool = True,
        spare: bool = False,
        slowest: float = 0.0,
    ) -> None:
        self._slowest = slowest
        self._paces: dict[Architecture, float] = {}
        self.trouble: str | None = None
        self._spare = spare
        self.timing = timing
        self.hop = self.block = timing.block
        self.delay = timing.delay
        self._make_content = content
        self._content: Content | None = None
        self._preparing = threading.Lock()
        self._device, self._dtype, self._graphs = torch.device(device), dtype, graphs
        self._models = Models(self._device, dtype)

    def prepare(self, voice: Target) -> None:
        """Load the content encoder, and bring the voice's network to the device.

        Raises:
            WeightsUnavailable: ContentVec is not here; names the command that fetches it.
            WeightsCorrupt: it is damaged.
            VoiceNotLoaded: the GPU is full, or the encoder gives no features for the voice.
            VoiceTooSlow: this machine cannot sing the voice as fast as it is asked to.
        """
        with self._preparing:
            if self._content is None:
                self._content = self._make_content(self._device, self._dtype)
            if isinstance(voice, RvcVoice):
                self._bring(voice)
                self._check_pace(voice)

    def _bring(self, voice: RvcVoice) -> None:
        assert self._content is not None
        if voice.synthesiser.architecture.version == "v1" and not self._content.projected:
            raise VoiceNotLoaded(
                "this ContentVec lacks final_proj, which voices of RVC v1 need",
                "run: autovoice weights contentvec",
            )
        try:
            self._models.get(voice.synthesiser)
        except RuntimeError as problem:
            raise VoiceNotLoaded(
                f"there is no room for {voice.name!r} on the GPU", "try again when fewer are singing"
            ) from problem

    def _check_pace(self, voice: RvcVoice) -> None:
        size = voice.synthesiser.architecture
        if not self._slowest or self._device.type != "cpu":
            return
        allowed_ms = 1000 * self.block / SAMPLE_RATE
        if size not in self._paces:
            self._paces[size] = self._pace(voice)
        needed_ms = 1000 * self._paces[size]
        if needed_ms > self._slowest * allowed_ms:
            raise VoiceTooSlow(
                f"this machine needs {needed_ms:.0f} ms for {allowed_ms:.0f} ms of {voice.name!r}: "
                "too slow to sing it live",
                "convert a recording or a song with it",
                "or tell the operator: a GPU, or a longer live.rvc.block_ms and a shorter context_ms",
            )

    def _pace(self, voice: RvcVoice) -> float:
        """Seconds that a step of one singer takes, at best."""
        state, voices, controls = self.open(1), self.voice_rows(1), ControlRows(1)
        voices.set(0, voice)
        noise, active = 0.1 * torch.randn(1, self.block), torch.ones(1, dtype=torch.bool)
        took = []
        for _ in range(4):
            began = time.perf_counter()
            self.step(state, noise, voices, controls, active)
            took.append(time.perf_counter() - began)
        return min(took)

    def open(self, rows: int) -> RvcState:
        """Allocate the state of `rows` streams."""
        listening = open_listening(rows, self.timing)
        return RvcState(
            rows,
            listening,
            live.open_state(rows),
            live.make_tables(),
            torch.zeros(rows, self.block),
            np.zeros((rows, 0), np.float32),
            torch.from_numpy(listening.f0_last),
            torch.from_numpy(listening.f0_out),
        )

    def _batch(self, rows: int) -> Batch:
        return Batch(rows, self.timing, self._device, self._dtype, self._graphs)

    def voice_rows(self, rows: int) -> RvcVoices:
        """Make the targets of `rows` streams; until set, a row keeps the singer's own voice."""
        return RvcVoices(rows, self._models)

    def step(
        self,
        state: RvcState,
        audio: Tensor,
        voices: RvcVoices,
        controls: ControlRows,
        active: Tensor,
        f0_hz: Tensor | None = None,
    ) -> Tensor:
        """Convert (rows, samples) of audio; see `Converter.step`."""
        check_block(state.rows, audio, self.hop, f0_hz)
        if audio.shape != state.output.shape:
            state.output = torch.zeros(audio.shape)
        state.output[~active] = 0
        sung = np.flatnonzero(active.numpy())
        x, y = audio.numpy(), state.output.numpy()
        for start in range(0, audio.shape[1], self.hop):
            hops = slice(start // live.HOP, (start + self.hop) // live.HOP)
            melody = state.unknown if f0_hz is None else f0_hz.numpy()[:, hops]
            block = slice(start, start + self.hop)
            self._block(state, sung, x[:, block], voices, controls, melody, y[:, block])
        return state.output

    def _block(
        self,
        state: RvcState,
        rows: Int,
        x: Float,
        voices: RvcVoices,
        controls: ControlRows,
        melody: Float,
        y: Float,
    ) -> None:
        choir = self._ready(state, rows, voices)
        gated = np.empty((len(rows), self.hop), np.float32)
        listen(
            rows,
            state.listening,
            state.pitch,
            x,
            controls.gate_db.numpy(),
            melody,
            voices.log_f0,
            controls.pitch_semitones.numpy() + voices.semitones,
            controls.auto_pitch.numpy(),
            gated,
            state.tables,
        )
        made = np.zeros((len(rows), self.hop), np.float32)
        factors = np.exp2((controls.formant_semitones.numpy() + voices.formant) / 12.0)
        given = rows, torch.from_numpy(gated), voices, state.listening.f0_hz, factors, torch.from_numpy(made)
        if choir is not None:
            with torch.inference_mode():
                try:
                    choir.sing(*given)
                except RuntimeError as problem:
                    if not self._spare or self.trouble is not None or not _of_device(problem):
                        raise
                    choir = self._lose(problem, state, rows, voices)
                    choir.sing(*given)
        give(
            rows,
            state.listening,
            made,
            voices.known,
            controls.dry_wet.numpy(),
            voices.rms_mix,
            self.delay,
            y,
        )

    def _ready(self, state: RvcState, rows: Int, voices: RvcVoices) -> Choir | None:
        """Make ready all that can be missing, before a block is taken; None while nobody sings."""
        if not voices.known[rows].any():
            return None
        if state.choir is None:
            if self._content is None:
                raise ValueError("prepare a voice before it sings")
            state.choir = Choir(self._content, self._batch(state.rows))
        for row in state.choir.follow(rows, voices):
            state.listening.changed[row] = True
        return state.choir

    def _lose(self, problem: RuntimeError, state: RvcState, rows: Int, voices: RvcVoices) -> Choir:
        """Use the device no more (call while handling what it raised)."""
        log.exception("the GPU failed; its work is done on the CPU from now on")
        self.trouble = f"the GPU failed ({str(problem).splitlines()[0][:200]}): running on the CPU"
        self._device, self._dtype = torch.device("cpu"), torch.float32
        self._models = Models(self._device, self._dtype)
        self._content = self._make_content(self._device, self._dtype)
        voices.move(self._models)
        state.choir = Choir(self._content, self._batch(state.rows))
        state.choir.follow(rows, voices)
        return state.choir


def _of_device(problem: RuntimeError) -> bool:
    """Whether a GPU is to blame, rather than what it was given."""
    return isinstance(problem, torch.OutOfMemoryError | torch.AcceleratorError) or "CUDA" in str(problem)
