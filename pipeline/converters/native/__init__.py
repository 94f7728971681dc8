"""`native`: the neural converter."""

from pipeline.converters.native.converter import Native, NativeState

__all__ = ["Native", "NativeState"]
