"""Damaged audio files: the same each time, so that what was found stays found."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from auto_voice.examine import examine_song
from bench.fuzz import fuzz
from bench.mutations import CONTAINERS, MUTATIONS, mutate, originals
from pipeline.errors import PipelineError
from tests.serving import Server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return originals(tmp_path_factory.mktemp("originals"))


def test_the_originals_are_songs(files: dict[str, bytes], tmp_path: Path) -> None:
    assert set(files) == set(CONTAINERS)
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert 1.0 <= examine_song(path, 10.0) <= 1.4, name


@pytest.mark.parametrize("change", MUTATIONS, ids=lambda change: change.__name__)
def test_a_mutation_changes_something_and_is_repeatable(change: object, files: dict[str, bytes]) -> None:
    assert callable(change)
    once, twice = bytearray(files["flac"]), bytearray(files["flac"])
    change(once, random.Random(3))
    change(twice, random.Random(3))
    assert once == twice != files["flac"]


def test_damaged_songs_are_taken_or_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    path, taken, refused = tmp_path / "song", 0, 0
    for seed in range(500):
        name, data = mutate(files, random.Random(seed))
        path.write_bytes(data)
        try:
            examine_song(path, 10.0)
            taken += 1
        except PipelineError as problem:
            assert str(problem), name
            refused += 1
    assert min(taken, refused) > 50


async def test_a_server_outlives_them(tmp_path: Path, models_dir: Path) -> None:
    settings = {
        "STORAGE__MODELS_DIR": str(models_dir),
        "LIMITS__MIN_PROFILE_DURATION_S": "1",
        "LIMITS__CONCURRENT_CLONES": "4",
        "LIMITS__CONCURRENT_CONVERSIONS": "1",
    }
    with Server(tmp_path, **settings) as server:
        outcome = await fuzz(server.address, server.pid, 120, 0, None)
        assert outcome.failures == []
        assert outcome.answers["taken"] > 0
        assert await asyncio.to_thread(server.ask, "/health/live") == {"status": "alive"}
