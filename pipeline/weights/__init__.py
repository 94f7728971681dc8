"""Weights by name: registered, fetched, verified."""

from pipeline.weights.fetch import fetch, verified
from pipeline.weights.registry import FILES, REQUIRED, WeightFile

__all__ = ["FILES", "REQUIRED", "WeightFile", "fetch", "verified"]
