"""How long work tells how far it is, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[float], None]
"""Called with the fraction done, now and then; whatever it raises (`Cancelled`, say) ends the work."""


class Cancelled(Exception):
    """Somebody does not want the result any more."""


def silent(fraction: float) -> None:
    """A report that goes nowhere."""
