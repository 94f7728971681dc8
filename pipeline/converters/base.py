"""The converter contract: how every voice converter streams, batched over independent rows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from pipeline.voice import Target, Voice

F0_HOP = 240  # samples at 48 kHz between values of a known pitch (5 ms)


@dataclass(frozen=True)
class Controls:
    """What a singer can set while singing. Out-of-range values raise ValueError."""

    pitch_semitones: float = 0.0  # added transposition, -24..24
    auto_pitch: bool = True  # first move whole octaves towards the target's range
    formant_semitones: float = 0.0  # moves the formants, -12..12; 0 is the target's own size
    dry_wet: float = 1.0  # 0 is the singer (delayed), 1 is the target
    gate_db: float = -70.0  # quieter input than this is silence, -100..0 dBFS; -100 never gates

    RANGES: ClassVar[dict[str, tuple[float, float]]] = {
        "pitch_semitones": (-24.0, 24.0),
        "formant_semitones": (-12.0, 12.0),
        "dry_wet": (0.0, 1.0),
        "gate_db": (-100.0, 0.0),
    }

    def __post_init__(self) -> None:
        for name, (low, high) in self.RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
        if not isinstance(self.auto_pitch, bool):
            raise ValueError(f"auto_pitch must be true or false, not {self.auto_pitch!r}")


class ControlRows:
    """The controls of every row, as tensors (rows,) that a step reads."""

    def __init__(self, rows: int) -> None:
        self.pitch_semitones = torch.zeros(rows)
        self.auto_pitch = torch.ones(rows, dtype=torch.bool)
        self.formant_semitones = torch.zeros(rows)
        self.dry_wet = torch.ones(rows)
        self.gate_db = torch.full((rows,), -70.0)

    def set(self, row: int, controls: Controls) -> None:
        """Write one row; takes effect at the next step, smoothed by the converter."""
        for field in fields(controls):
            getattr(self, field.name)[row] = getattr(controls, field.name)


def check_block(rows: int, audio: Tensor, hop: int, f0_hz: Tensor | None) -> None:
    """Refuse what does not fit a state of `rows` streams whose converter takes multiples of `hop` samples.

    Raises:
        ValueError: audio that is not (rows, a multiple of hop), or f0_hz that does not go with it.
    """
    samples = audio.shape[1]
    if audio.shape[0] != rows or samples % hop:
        raise ValueError(f"audio must be ({rows}, a multiple of {hop}), not {tuple(audio.shape)}")
    if f0_hz is not None and f0_hz.shape != (rows, samples // F0_HOP):
        raise ValueError(f"f0_hz must be ({rows}, {samples // F0_HOP}), not {tuple(f0_hz.shape)}")


class VoiceRows(Protocol):
    """The target voice of every row, in the layout of one converter."""

    def set(self, row: int, voice: Target) -> None:
        """Give a row its target, alone; takes effect at the next step, faded over by the converter.

        Raises:
            ValueError: a voice of a kind that this converter does not sing.
        """

    def clear(self, row: int) -> None:
        """Let a row keep the singer's own voice again, and nothing of any other."""

    def blend(self, row: int, voice: Voice | None, share: float) -> None:
        """Sing between the target of a row and a second voice; takes effect at the next step, faded over.

        A call with the voice (the same object) that the row blends already only moves the share, which is
        cheap enough for a slider that is being dragged.

        Args:
            row: which stream.
            voice: the second voice; None ends the blend.
            share: 0 sounds as if there were no second voice, 1 as if it were the target.

        Raises:
            ValueError: a share that is not from 0 to 1, or (converters that make voices) a second voice for a
                row that has no first one, or a voice that cannot be used. The row goes on as it was.
        """


class State(Protocol):
    """All mutable stream state of one converter: preallocated tensors with a row per stream."""

    rows: int
    f0_in_hz: Tensor  # (rows,) last pitch found in the input, 0 when unvoiced
    f0_out_hz: Tensor  # (rows,) the pitch sung for it

    def reset(self, row: int) -> None:
        """Forget everything a row has heard, so that a new stream can start in it."""


class Converter(Protocol):
    """A streaming voice converter: pure, batched, and silent about threads and sessions."""

    name: str
    sample_rate: int  # Hz, in and out
    hop: int  # the number of samples given to one step must be a multiple of this
    block: int  # samples per stream that one step takes and gives, unless asked otherwise
    delay: int  # algorithmic delay in samples: output sample n renders input sample n - delay

    @property
    def trouble(self) -> str | None:
        """Why it runs elsewhere than it should (on the CPU instead of a lost GPU), None while all is well."""

    def prepare(self, voice: Target) -> None:
        """Load what this voice needs before a row is given it; may take seconds, on any thread.

        Raises:
            PipelineError: what it needs is not here; the message says how to get it.
        """

    def open(self, rows: int) -> Any:
        """Make the `State` of `rows` streams; everything a step needs is allocated here."""

    def voice_rows(self, rows: int) -> Any:
        """Make the `VoiceRows` that go with `step`; until set, a row keeps the singer's own voice."""

    def step(
        self,
        state: Any,
        audio: Tensor,
        voices: Any,
        controls: ControlRows,
        active: Tensor,
        f0_hz: Tensor | None = None,
    ) -> Tensor:
        """Convert one block of every active row.

        Args:
            state: what `open` returned; changed in place.
            audio: (rows, samples) float32 in [-1, 1]; samples is a multiple of `hop`.
            voices: what `voice_rows` returned.
            controls: the controls of each row.
            active: (rows,) bool; the state of inactive rows stays as it is, and their output is zero.
            f0_hz: (rows, samples // F0_HOP) float32, the pitch of the input where it is known better than a
                live tracker can tell, 0 where nothing is voiced; value h belongs to sample (h - 1) * F0_HOP of
                this block. Converters that track no pitch ignore it.

        Returns:
            (rows, samples) float32, delayed by `delay`. Valid until the next step.

        Raises:
            ValueError: shapes that do not fit the state.
        """
