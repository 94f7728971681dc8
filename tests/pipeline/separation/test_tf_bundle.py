import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import WeightsCorrupt
from pipeline.separation.tf_bundle import MAGIC, read_bundle


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(**fields: bytes | int) -> bytes:
    out = b""
    for name, value in fields.items():
        number = int(name[1:])
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A LevelDB block with prefix-compressed keys."""
    out, before = b"", b""
    for key, value in entries:
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
        )
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return out + struct.pack("<II", 0, 1)


def bundle(folder: Path, tensors: dict[str, np.ndarray]) -> tuple[Path, Path]:
    """Write a checkpoint as TensorFlow does."""
    data, entries = b"", [(b"", message(f1=1))]
    for name, tensor in sorted(tensors.items()):
        shape = b"".join(message(f2=message(f1=size)) for size in tensor.shape)
        entry = message(f1=1, f2=shape, f4=len(data), f5=tensor.nbytes) + b"\x35" + bytes(4)  # crc32c
        entries.append((name.encode(), entry))
        data += tensor.tobytes()
    table = b""
    handles = []
    for part in (entries[:2], entries[2:]):
        if part:
            body = block(part)
            handles.append((part[-1][0], varint(len(table)) + varint(len(body))))
            table += body + bytes(5)
    index = block(handles)
    footer = varint(0) + varint(0) + varint(len(table)) + varint(len(index))
    table += index + bytes(5) + footer.ljust(40, b"\0") + MAGIC
    (folder / "m.index").write_bytes(table)
    (folder / "m.data").write_bytes(data)
    return folder / "m.index", folder / "m.data"


def test_tensors_come_back_by_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tensors = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in (
            ("conv2d/kernel", (5, 5, 2, 3)),
            ("conv2d/bias", (3,)),
            ("conv2d_1/kernel", (2, 2)),
            ("step", ()),
        )
    }
    found = read_bundle(*bundle(tmp_path, tensors))
    assert set(found) == set(tensors)
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    index, data = bundle(tmp_path, {"a": np.ones(10, np.float32)})
    data.write_bytes(data.read_bytes()[:-4])
    with pytest.raises(WeightsCorrupt):
        read_bundle(index, data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_any_damage_is_a_clear_error_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    index, values = bundle(tmp_path, {"abc": np.ones(10, np.float32), "abd": np.ones(2, np.float32)})
    content = bytearray(index.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    index.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    with contextlib.suppress(WeightsCorrupt):
        read_bundle(index, values)
