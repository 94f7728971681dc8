"""faiss "IVFn,Flat" index files, read without faiss: every number is checked against the file's length first.

The layout is that of faiss's `impl/index_read.cpp`: an IVF header ("IwFl") that contains the flat index of the
centroids ("IxF2", or "IxFl" with the L2 metric), a direct map, and array inverted lists ("ilar") whose sizes
are given in full ("full") or as pairs ("sprs"). All numbers are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import WeightsCorrupt

MOST_BYTES = 2 << 30  # RVC keeps at most 200,000 vectors: 0.6 GB
MOST_LOOKED = (
    256 << 20
)  # bytes of features that one frame may have to be compared with; RVC's lists have about 40
L2 = 1  # faiss's number of this metric
HASHTABLE = 2  # of a direct map
HEADER = struct.Struct("<iqqq?i")  # dimensions, count, two unused, trained, metric
COUNT = struct.Struct("<Q")

Float = NDArray[np.float32]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class IndexFile:
    """What an index holds."""

    centroids: Float  # (lists, dims)
    vectors: Float  # (count, dims), list by list
    ids: Int  # (count,) the place of each among the features that the index was made from
    starts: Int  # (lists + 1,) list i is vectors[starts[i] : starts[i + 1]]
    probes: int  # lists that are looked through for each query


class _Reader:
    """A file that never gives, and never allocates, more than it has."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.name, self._file, self._left = path.name, file, path.stat().st_size

    def refuse(self, why: str) -> WeightsCorrupt:
        return WeightsCorrupt(
            f"{self.name} cannot be used as an index: {why}",
            "bring the added_….index that RVC made for this voice",
        )

    def take(self, size: int) -> None:
        if size > self._left:
            raise self.refuse("it ends too early, or is damaged")
        self._left -= size

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        self.take(layout.size)
        return layout.unpack(self._file.read(layout.size))

    def count(self) -> int:
        return self.unpack(COUNT)[0]

    def fourcc(self) -> bytes:
        self.take(4)
        return self._file.read(4)

    def skip(self, size: int) -> None:
        self.take(size)
        self._file.seek(size, 1)

    def into(self, out: NDArray[np.float32] | NDArray[np.int64]) -> None:
        """Fill a contiguous array."""
        self.take(out.nbytes)
        if out.nbytes and self._file.readinto(out) != out.nbytes:  # type: ignore[attr-defined]
            raise self.refuse("it ends too early")

    def fits(self, count: int, size: int) -> None:
        """Check that `count` things of `size` bytes are still to come, before room is made for them."""
        if count * size > self._left:
            raise self.refuse("it tells of more than it holds")

    def done(self) -> bool:
        return not self._left


def read_index(path: Path, dims: int) -> IndexFile:
    """Read an `added_*.index`.

    Args:
        path: the file.
        dims: of the features that the voice takes, 256 (v1) or 768 (v2).

    Raises:
        WeightsCorrupt: damaged, another kind of index or of file, other dimensions, or without vectors
            (`trained_*.index`).
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            reader = _Reader(path, file)
            if size > MOST_BYTES:
                raise reader.refuse(f"it has more than {MOST_BYTES >> 30} GiB")
            return _read(reader, dims)
    except OSError as problem:
        raise WeightsCorrupt(f"{path.name} cannot be read: {problem.strerror}") from problem


def _read(reader: _Reader, dims: int) -> IndexFile:
    kind = reader.fourcc()
    if kind != b"IwFl":
        raise reader.refuse("it is no faiss index of the kind IVF, Flat")
    count = _header(reader, dims)
    lists, probes = reader.count(), reader.count()
    if not lists or not probes:
        raise reader.refuse("it has no lists")
    centroids = _flat(reader, dims, lists)
    (mapped,) = reader.unpack(struct.Struct("<b"))
    reader.skip(8 * reader.count())
    if mapped == HASHTABLE:
        reader.skip(16 * reader.count())
    elif mapped not in (0, 1):
        raise reader.refuse("it is damaged")
    if not count:
        raise reader.refuse("it was trained but holds no features (trained_….index)")
    return _lists(reader, dims, count, centroids, min(probes, lists))


def _header(reader: _Reader, dims: int) -> int:
    found, count, _, _, _, metric = reader.unpack(HEADER)
    if found != dims:
        raise reader.refuse(f"its features have {found} dimensions, those of this voice {dims}")
    if metric != L2:
        raise reader.refuse("it does not measure distances as RVC does")
    if count < 0:
        raise reader.refuse("it is damaged")
    return count


def _flat(reader: _Reader, dims: int, lists: int) -> Float:
    """The centroids."""
    if reader.fourcc() not in (b"IxF2", b"IxFl"):
        raise reader.refuse("its lists are not found by plain centroids")
    if _header(reader, dims) != lists or reader.count() != lists * dims:
        raise reader.refuse("it is damaged: as many centroids as lists are needed")
    reader.fits(lists, 4 * dims)
    centroids = np.empty((lists, dims), "<f4")
    reader.into(centroids)
    return _finite(reader, centroids)


def _lists(reader: _Reader, dims: int, count: int, centroids: Float, probes: int) -> IndexFile:
    lists = len(centroids)
    if reader.fourcc() != b"ilar":
        raise reader.refuse("its features are not in the file")
    if reader.count() != lists or reader.count() != 4 * dims:
        raise reader.refuse("it is damaged: its lists are of another kind")
    sizes = _sizes(reader, lists)
    if sum(map(int, sizes)) != count:
        raise reader.refuse("it is damaged: its lists do not add up")
    reader.fits(count, 4 * dims + 8)
    if int(sizes.max()) * probes * 4 * dims > MOST_LOOKED:
        raise reader.refuse("each frame would have to be compared with too many of its features")
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    vectors, ids = np.empty((count, dims), "<f4"), np.empty(count, "<i8")
    for begin, end in pairwise(starts):
        reader.into(vectors[begin:end])
        reader.into(ids[begin:end])
    if not reader.done():
        raise reader.refuse("something follows its lists")
    return IndexFile(centroids, _finite(reader, vectors), ids.astype(np.int64), starts, probes)


def _sizes(reader: _Reader, lists: int) -> Int:
    """(lists,) how many features each list holds."""
    form, length = reader.fourcc(), reader.count()
    if form not in (b"full", b"sprs") or (length != lists if form == b"full" else length % 2):
        raise reader.refuse("it is damaged: the sizes of its lists")
    reader.fits(length, 8)
    given = np.empty(length, "<i8")
    reader.into(given)
    if (given < 0).any():
        raise reader.refuse("it is damaged: the sizes of its lists")
    if form == b"full":
        return given.astype(np.int64)
    sizes = np.zeros(lists, np.int64)
    if (given[::2] >= lists).any():
        raise reader.refuse("it is damaged: the sizes of its lists")
    sizes[given[::2]] = given[1::2]
    return sizes


def _finite(reader: _Reader, numbers: Float) -> Float:
    if not np.isfinite(numbers).all():
        raise reader.refuse("it is damaged: some of its numbers are none")
    return numbers.astype(np.float32, copy=False)
