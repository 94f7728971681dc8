"""Weights by name: registered, fetched, verified."""

from pipeline.weights.fetch import fetch, fetch_file, verified
from pipeline.weights.registry import FILES, REQUIRED, WeightFile

__all__ = ["FILES", "REQUIRED", "WeightFile", "fetch", "fetch_file", "verified"]
