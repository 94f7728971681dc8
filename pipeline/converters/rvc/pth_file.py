"""Reading an RVC `.pth`: nothing in it runs, and nothing is taken on trust.

The file is a ZIP of a pickle and tensors. Its sizes are checked first; then the pickle is looked through, and
refused if it names anything but the few things that tensors are rebuilt with; only then PyTorch's restricted
unpickler makes plain values and tensors of it. What they say is for `checkpoint.py` to judge.
"""

from __future__ import annotations

import pickle
import pickletools
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from pipeline.converters.rvc.architecture import VoiceModelUnusable

MOST_BYTES = 1 << 30  # of a file; those that people have are 50 to 60 MB
MOST_ENTRIES = 10_000
MOST_PICKLE = 1 << 20  # those that people have are under 100 kB
ADVICE = "choose the voice's own .pth of 50 to 60 MB, as RVC's WebUI or Applio wrote it"

NAMES = frozenset(
    {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"}
    | {f"torch {kind}Storage" for kind in ("Half", "BFloat16", "Float", "Double", "Long", "Int")}
)
CODES = frozenset(  # of what plain values and tensors are written with
    {"PROTO", "STOP", "MARK", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL", "BINPERSID"}
    | {"EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "REDUCE", "BUILD"}
    | {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "NONE", "NEWTRUE", "NEWFALSE", "LONG1", "BINFLOAT"}
    | {"BININT", "BININT1", "BININT2", "BINUNICODE", "SHORT_BINSTRING"}
)
# what PyTorch's reader raises for files that are damaged
_UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError,
    ArithmeticError, AssertionError, MemoryError, zipfile.BadZipFile,
)  # fmt: skip


def read_pth(path: Path) -> dict[str, Any]:
    """The plain values and tensors in a file.

    Raises:
        VoiceModelUnusable: damaged, hostile, or another kind of file; the message says which.
        OSError: the file cannot be read.
    """
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd text: what cannot be read is refused
            _check_pickle(torch._C.PyTorchFileReader(str(path)).get_record("data.pkl"))
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except _UNREADABLE as problem:
        raise VoiceModelUnusable("the file is damaged", ADVICE) from problem
    if not isinstance(content, dict):
        raise VoiceModelUnusable("the file holds no RVC voice", ADVICE)
    return plain(content)


def plain(mapping: dict[Any, Any]) -> dict[str, Any]:
    """What a dict holds under texts, as a plain one: a pickle can give an OrderedDict other methods."""
    return {key: value for key, value in dict.items(mapping) if isinstance(key, str)}


def _check_archive(path: Path) -> None:
    """Refuse what is no ZIP of tensors, or would take more memory than its size on disk."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise VoiceModelUnusable(f"the file has {size >> 20} MB; {MOST_BYTES >> 20} MB are allowed", ADVICE)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError) as problem:
        raise VoiceModelUnusable("the file is damaged or no PyTorch file", ADVICE) from problem
    pickles = [entry for entry in entries if entry.filename.endswith(".pkl")]
    if not pickles or len(entries) > MOST_ENTRIES or any(entry.file_size > MOST_PICKLE for entry in pickles):
        raise VoiceModelUnusable("the file holds no RVC voice", ADVICE)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise VoiceModelUnusable("the file is a compressed archive", "unpack it, and bring the .pth in it")
    if sum(entry.file_size for entry in entries) > size:
        raise VoiceModelUnusable("the file says that it is larger than it is", ADVICE)


def _check_pickle(content: bytes) -> None:
    """Refuse a pickle that asks for more than values and tensors, before any of it is obeyed.

    PyTorch's own list of what may be called is longer: `bytearray(10**12)` is on it.
    """
    if len(content) > MOST_PICKLE:
        raise VoiceModelUnusable("the file holds no RVC voice", ADVICE)
    for code, argument, _ in pickletools.genops(content):
        name = str(argument) if code.name == "GLOBAL" else ""
        if code.name not in CODES or (name and name not in NAMES):
            what = f" ({name.replace(' ', '.')[:60]!r})" if name else ""
            raise VoiceModelUnusable(f"the file holds more than weights{what}, which no voice needs", ADVICE)
