"""The converters, by name."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.converters.base import Converter
from pipeline.converters.classic import Classic
from pipeline.converters.native import Native
from pipeline.converters.passthrough import PassThrough

DEFAULT = "native"  # what converts unless something else is asked for


def available() -> dict[str, Callable[[int], Converter]]:
    """Every converter that can run here: name -> factory taking the block in samples."""
    return {"native": Native, "classic": Classic, "passthrough": lambda block: PassThrough(block=block)}
