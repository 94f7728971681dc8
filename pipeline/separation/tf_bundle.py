"""Read the tensors of a TensorFlow checkpoint ("bundle") without TensorFlow.

A bundle is an index file and a data file. The index is an uncompressed LevelDB table: a footer of two block
handles, blocks of entries with prefix-compressed keys. Its values are small protocol buffers that point into
the data file (tensorflow/core/protobuf/tensor_bundle.proto: BundleEntryProto). Only what float32 tensors need
is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import WeightsCorrupt

MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER = 48  # bytes
FLOAT32 = 1  # of tensorflow/core/framework/types.proto


def read_bundle(index: Path, data: Path) -> dict[str, NDArray[np.float32]]:
    """All float32 tensors of a checkpoint, by name.

    Raises:
        WeightsCorrupt: not such files; nothing in them is executed.
    """
    table, values = index.read_bytes(), data.read_bytes()
    try:
        return dict(_tensors(table, values))
    except (IndexError, ValueError, UnicodeDecodeError) as problem:
        raise WeightsCorrupt(f"{index.name} is no TensorFlow checkpoint: {problem}") from problem


def _tensors(table: bytes, values: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    if len(table) < FOOTER or table[-8:] != MAGIC:
        raise ValueError("no table footer")
    footer = table[-FOOTER:]
    place = 0
    for _ in range(2):  # past the handle of the meta-index
        _, place = _varint(footer, place)
    offset, place = _varint(footer, place)
    size, _ = _varint(footer, place)
    for _, handle in _entries(_block(table, offset, size)):
        start, place = _varint(handle, 0)
        length, _ = _varint(handle, place)
        for key, value in _entries(_block(table, start, length)):
            if key:  # the empty key is the bundle's header
                tensor = _tensor(value, values)
                if tensor is not None:
                    yield key.decode(), tensor


def _block(table: bytes, offset: int, size: int) -> bytes:
    """A block without its list of restarts."""
    if offset + size + 5 > len(table) or table[offset + size] != 0:
        raise ValueError("a block is missing or compressed")
    block = table[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    return block[: size - 4 - 4 * restarts]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    key, place = b"", 0
    while place < len(block):
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + own]
        place += own
        yield key, block[place : place + length]
        place += length


def _tensor(entry: bytes, values: bytes) -> NDArray[np.float32] | None:
    fields = dict(_fields(entry))
    if fields.get(1) != FLOAT32:
        return None
    shape = [int(dict(_fields(dim)).get(1, 0)) for number, dim in _fields(fields.get(2, b"")) if number == 2]
    offset, size = int(fields.get(4, 0)), int(fields.get(5, 0))
    if offset + size > len(values) or size != 4 * int(np.prod(shape, dtype=np.int64)):
        raise ValueError("a tensor does not fit the data")
    return np.frombuffer(values, "<f4", size // 4, offset).reshape(shape).astype(np.float32)


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: (number, varint or bytes); fixed 32-bit fields are passed over."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield number, value
        elif wire == 2:
            length, place = _varint(message, place)
            yield number, message[place : place + length]
            place += length
        elif wire == 5:
            place += 4
        else:
            raise ValueError(f"wire type {wire}")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
