"""`classic`: pitch-synchronous overlap-add with filters towards the target voice."""

from pipeline.converters.classic.converter import Classic, ClassicState
from pipeline.converters.classic.voices import ClassicVoices

__all__ = ["Classic", "ClassicState", "ClassicVoices"]
