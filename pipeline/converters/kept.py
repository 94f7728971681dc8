"""Converters for recordings, songs and texts: each is loaded with the first voice that it sings, and kept."""

from __future__ import annotations

from pathlib import Path

from pipeline.converters import available
from pipeline.converters.base import Converter
from pipeline.converters.rvc.timing import WHOLE, Timing
from pipeline.voice import Target

BLOCK = 480  # samples


class KeptConverters:
    """The first converter of each voice, for one process.

    Args:
        models_dir: of the weights.
        timing: how "rvc" cuts what it sings.
    """

    def __init__(self, models_dir: Path, timing: Timing = WHOLE) -> None:
        self._make = available(models_dir=models_dir, timing=timing)
        self._made: dict[str, Converter] = {}

    def of(self, voice: Target) -> Converter:
        """The converter that sings a voice; `prepare` it before it sings."""
        name = voice.converters[0]
        if name not in self._made:
            self._made[name] = self._make[name](BLOCK)
        return self._made[name]

    def prepared(self, voice: Target) -> Converter:
        """The same, with what the voice needs.

        Raises:
            WeightsUnavailable: the voice needs some that are not here.
        """
        converter = self.of(voice)
        converter.prepare(voice)
        return converter
