"""Damaged and hostile `.pth` files are refused in words, or are voices; nothing runs, and no memory is taken.

`RVC_FUZZ=20000` tries more of them.
"""

import io
import os
import random
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.mutations import MUTATIONS
from pipeline.converters.rvc.architecture import VoiceModelUnusable
from pipeline.converters.rvc.checkpoint import load_checkpoint
from tests import checkpoints
from tests.checkpoints import SIZE, size_of, write
from tests.pipeline.converters.rvc.test_checkpoint import Disguised, Hoard, Payload
from tests.rvc import fixtures

COUNT = int(os.environ.get("RVC_FUZZ", "150"))  # of each kind
MOST_GROWTH = 300 << 10  # KiB


@pytest.fixture
def workplace(tmp_path: Path) -> Any:
    """A folder in which nothing may appear but what the test writes, in a process that may not grow."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    there = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(there)
    assert {path.name for path in tmp_path.iterdir()} <= {"voice.pth", "original.pth"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_GROWTH


def judged(path: Path) -> bool:
    """Whether a file is a voice; if not, it is refused as it should be."""
    try:
        read = load_checkpoint(path)
    except VoiceModelUnusable as refused:
        assert 0 < len(str(refused)) < 400
        return False
    shapes = {name: tensor.shape for name, tensor in read.synthesiser().state_dict().items()}
    with torch.device("meta"):
        wanted = checkpoints.Synthesiser(read.architecture).state_dict()
    assert shapes == {name: tensor.shape for name, tensor in wanted.items()}
    assert all(torch.isfinite(tensor).all() for tensor in read.stored.values())
    return True


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """Bytes with one or two things wrong."""
    made = bytearray(data)
    for change in rng.choices(MUTATIONS, k=rng.randint(1, 2)):
        if made:
            change(made, rng)
    return bytes(made)


def test_files_with_some_bytes_wrong(workplace: Path) -> None:
    whole, rng = write(workplace / "original.pth").read_bytes(), random.Random(1)
    voices = 0
    for _ in range(COUNT):
        (workplace / "voice.pth").write_bytes(spoilt(whole, rng))
        voices += judged(workplace / "voice.pth")
    assert voices < COUNT


def test_files_whose_pickle_is_wrong_and_whose_sizes_are_right(workplace: Path) -> None:
    rng = random.Random(2)
    with zipfile.ZipFile(write(workplace / "original.pth")) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    refused = 0
    for _ in range(COUNT):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as target:
            for name, data in parts.items():
                target.writestr(name, spoilt(data, rng) if name.endswith("data.pkl") else data)
        (workplace / "voice.pth").write_bytes(made.getvalue())
        refused += not judged(workplace / "voice.pth")
    assert refused > COUNT // 2


def _odd(rng: random.Random) -> Any:
    """Something that no voice holds where it is put."""
    makers: list[Callable[[], Any]] = [
        lambda: Payload("touch executed"),
        Hoard,
        Disguised,
        lambda: torch.zeros(1).expand(1 << 18, 1 << 18),
        lambda: torch.zeros(1).expand(SIZE.speakers, SIZE.speaker_width),
        lambda: torch.full((3, 4), float("nan")),
        lambda: torch.zeros(3, 4, dtype=rng.choice([torch.int64, torch.bool, torch.complex64, torch.uint8])),
        lambda: torch.zeros(3, 4).to_sparse(),
        lambda: torch.nn.Parameter(torch.ones(3, 4)),
        lambda: torch.zeros(0),
        lambda: rng.choice([None, True, -1, 1 << 70, 1e300, float("nan"), "", "v2" * 1000, b"v2", [], {}, ()]),
        lambda: [[]] * rng.randint(0, 30),
        lambda: [1] * 18,
        lambda: size_of(width=rng.choice([32, 64])).config(),
    ]
    return rng.choice(makers)()


def test_files_that_hold_other_things(workplace: Path) -> None:
    rng = random.Random(3)
    for _ in range(COUNT):
        given = checkpoints.content()
        place = rng.choice([given, given["weight"], given["config"]])
        key = rng.randrange(18) if isinstance(place, list) else rng.choice(sorted(place))
        place[key] = _odd(rng)
        torch.save(given, workplace / "voice.pth")
        judged(workplace / "voice.pth")


def test_voices_in_the_real_format_with_some_bytes_wrong(workplace: Path) -> None:
    rng = random.Random(4)
    for path in fixtures():
        whole = path.read_bytes()
        for _ in range(COUNT // 10):
            (workplace / "voice.pth").write_bytes(spoilt(whole, rng))
            judged(workplace / "voice.pth")
