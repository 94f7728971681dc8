"""Stages placed where a worker leaves them, for tests that are about what comes after."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from auto_voice.jobs.stage import CHART, TRACKS
from auto_voice.jobs.store import JobStore
from pipeline import io
from pipeline.karaoke import ultrastar
from tests.songs import RATE, song

TUNE = "#TITLE:A tune\n#BPM:240\n#GAP:500\nP1\n: 0 8 0 One\nP2\n: 8 8 7 Two\nE\n"


def place_stage(
    store: JobStore, results: Path, user_id: str | None = None, seconds: float = 2.0, lyrics: str = TUNE
) -> str:
    """A stage with two tracks and the first part of the lyrics as its melody; its id.

    Args:
        store: that gets the row.
        results: the folder of results.
        user_id: whose it is.
        seconds: of sound.
        lyrics: an UltraStar file, which is brought to it, too.
    """
    song_id = f"stage-{uuid.uuid4()}"
    folder = results / song_id / "result"
    folder.mkdir(parents=True)
    for seed, name in enumerate(TRACKS):
        io.encode(folder / f"{name}.flac", song(seconds, seed=seed), RATE)
    (folder / CHART).write_text(json.dumps(ultrastar.read(lyrics)[0].to_json()))
    (folder.parent / "lyrics.txt").write_text(lyrics)
    store.submit(
        "stage", {"song_name": "A tune", "request": {"preset": "fast"}}, user_id=user_id, job_id=song_id
    )
    job = store.claim("a test")
    assert job is not None
    assert job.id == song_id
    metadata = {"seconds": seconds, "key": None, "tempo": None, "separation_model": "none"}
    result = {"files": {}, "metadata": metadata, "notes": []}
    assert store.complete(song_id, "a test", result, 3600.0)
    return song_id
