"""Index files as faiss writes them, written without it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def header(dims: int, count: int, metric: int = 1) -> bytes:
    return struct.pack("<iqqq?i", dims, count, 1 << 20, 1 << 20, True, metric)


@dataclass
class Made:
    """Parts of a file, to be written whole or spoilt."""

    centroids: Float
    lists: list[tuple[Float, NDArray[np.int64]]]
    kind: bytes = b"IwFl"
    flat: bytes = b"IxF2"
    metric: int = 1
    form: bytes = b"full"
    mapped: bytes = struct.pack("<bQ", 0, 0)
    probes: int = 1
    stored: bytes = b"ilar"

    def bytes(self) -> bytes:
        count, dims = sum(len(ids) for _, ids in self.lists), self.centroids.shape[1]
        out = [self.kind, header(dims, count, self.metric), struct.pack("<QQ", len(self.lists), self.probes)]
        out += [self.flat, header(dims, len(self.centroids)), struct.pack("<Q", self.centroids.size)]
        out += [
            self.centroids.tobytes(),
            self.mapped,
            self.stored,
            struct.pack("<QQ", len(self.lists), 4 * dims),
        ]
        sizes = np.array([len(ids) for _, ids in self.lists], np.int64)
        if self.form == b"sprs":
            held = np.flatnonzero(sizes)
            sizes = np.stack((held, sizes[held]), 1).ravel()
        out += [self.form, struct.pack("<Q", len(sizes)), sizes.tobytes()]
        for vectors, ids in self.lists:
            out += [vectors.tobytes(), ids.tobytes()]
        return b"".join(out)


def make(dims: int = 8, lists: int = 5, count: int = 60, seed: int = 0, empty: int = 1) -> Made:
    """Random features, each in the list of the nearest of the first `lists - empty` centroids."""
    rng = np.random.default_rng(seed)
    centroids = rng.standard_normal((lists, dims)).astype(np.float32)
    centroids[lists - empty :] += 50
    vectors = rng.standard_normal((count, dims)).astype(np.float32)
    nearest = ((vectors[:, None] - centroids[None]) ** 2).sum(2).argmin(1)
    return Made(centroids, [(vectors[nearest == i], np.flatnonzero(nearest == i)) for i in range(lists)])
