"""What `classic` knows of voices in general: classes of voiced sound, and the average voice to start from."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from safetensors.numpy import load_file

from pipeline.timbre import BANDS

Float = NDArray[np.float32]

CLASSES = 32
CEPSTRA = 12
CLASS_BANDS = 36  # the classes look at bands up to 7 kHz, which every recording holds
SOFTNESS = 0.5  # exponent on the likelihoods, because neighbouring bands are not independent
FILE = Path(__file__).parent / "prior.safetensors"


class Prior(NamedTuple):
    """A Gaussian mixture over the shape of voiced spectra, and averages over many voices.

    Made by `training.classic_prior`.
    """

    transform: Float  # (CEPSTRA, CLASS_BANDS) discrete cosine transform of a deviation from a voice's mean
    centre: Float  # (CLASSES, CEPSTRA)
    precision: Float  # (CLASSES, CEPSTRA) one over the variance
    log_weight: Float  # (CLASSES,) log of class weight, normalisation of the Gaussian included
    deviation: Float  # (CLASSES, BANDS) mean deviation of each class from a voice's mean, log power
    mean: Float  # (2, BANDS) mean log power of unvoiced and voiced sound, average voice
    breath: Float  # (BANDS,) log of noise power / total power in voiced sound, average voice


def load_prior() -> Prior:
    """Read the shipped prior; a flat one where it has not been made yet (only while it is being made)."""
    if FILE.exists():
        arrays = load_file(FILE)
        return Prior(**{name: np.ascontiguousarray(arrays[name]) for name in Prior._fields})
    zeros = np.zeros
    return Prior(
        zeros((CEPSTRA, CLASS_BANDS), np.float32),
        zeros((CLASSES, CEPSTRA), np.float32),
        np.ones((CLASSES, CEPSTRA), np.float32),
        zeros(CLASSES, np.float32),
        zeros((CLASSES, BANDS), np.float32),
        zeros((2, BANDS), np.float32),
        np.full(BANDS, -2.0, np.float32),
    )


PRIOR = load_prior()


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def posterior(deviation: Float, prior: Prior, result: Float) -> None:
    """Probabilities (CLASSES,) of the classes for one grain's `deviation` (BANDS,) from its voice's mean."""
    best = np.float32(-1e30)
    for k in range(CLASSES):
        result[k] = prior.log_weight[k]
    for q in range(CEPSTRA):
        c = np.float32(0.0)
        for b in range(CLASS_BANDS):
            c += prior.transform[q, b] * deviation[b]
        for k in range(CLASSES):
            d = c - prior.centre[k, q]
            result[k] -= np.float32(0.5) * d * d * prior.precision[k, q]
    for k in range(CLASSES):
        result[k] *= np.float32(SOFTNESS)
        best = max(best, result[k])
    total = np.float32(0.0)
    for k in range(CLASSES):
        result[k] = np.exp(result[k] - best)
        total += result[k]
    for k in range(CLASSES):
        result[k] /= total
