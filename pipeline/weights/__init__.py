"""Weights by name: registered, fetched, verified."""

from pipeline.weights.fetch import fetch, fetch_download, fetch_file, find, verified
from pipeline.weights.registry import DOWNLOADS, FILES, REQUIRED, Download, WeightFile

__all__ = [
    "DOWNLOADS",
    "FILES",
    "REQUIRED",
    "Download",
    "WeightFile",
    "fetch",
    "fetch_download",
    "fetch_file",
    "find",
    "verified",
]
