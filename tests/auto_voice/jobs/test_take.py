"""Takes that are sung again: in time, in another voice, as they were where nobody sings, and given up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auto_voice.jobs.take import DRY, TakeRequest, TakeSinger
from auto_voice.storage.profiles import BUILTIN
from pipeline import io
from pipeline.converters.kept import KeptConverters
from pipeline.song.report import Cancelled
from pipeline.voice_file import load_voice
from tests.auto_voice.web.takes import RATE, sung

FRAMES = 4 * RATE
OTTO = load_voice(BUILTIN / "otto.safetensors")


def given(folder: Path, dry: bytes) -> Path:
    (folder / DRY).write_bytes(dry)
    (folder / "made").mkdir()
    return folder


def silent(stage: str, part: float) -> None:
    pass


def test_a_singer_is_sung_again_in_time(tmp_path: Path, models_dir: Path) -> None:
    told: list[tuple[str, float]] = []
    dry = sung()[: 2 * FRAMES]
    made = TakeSinger(models_dir, KeptConverters(models_dir)).sing(
        given(tmp_path, dry),
        TakeRequest("otto", FRAMES),
        OTTO,
        tmp_path / "made",
        lambda stage, part: told.append((stage, part)),
    )
    assert made["metadata"]["frames"] == FRAMES
    assert made["notes"] == []
    assert {path.name for path in (tmp_path / "made").iterdir()} == set(made["files"].values())
    before = np.frombuffer(dry, "<i2") / 32768
    voice = io.decode(tmp_path / "made" / "voice.flac", sample_rate=RATE, max_seconds=60).samples
    assert len(voice) == FRAMES
    cross = np.fft.irfft(np.fft.rfft(voice, 2 * FRAMES) * np.conj(np.fft.rfft(before, 2 * FRAMES)))
    assert abs(int(np.argmax(np.roll(cross, 4800)[:9600])) - 4800) <= 1
    assert np.std(voice - before) > 0.3 * np.std(before)  # it is somebody else's
    assert [stage for stage, _ in told] == sorted(
        (stage for stage, _ in told), key=["pitch", "conversion", "mixing"].index
    )


def test_where_nobody_sings_the_voice_stays(tmp_path: Path, models_dir: Path) -> None:
    dry = np.random.default_rng(1).integers(-300, 300, FRAMES).astype("<i2")
    folder = given(tmp_path, dry.tobytes())
    made = TakeSinger(models_dir, KeptConverters(models_dir)).sing(
        folder, TakeRequest("otto", FRAMES), OTTO, folder / "made", silent
    )
    assert made["notes"] == ["no singing was found: the voice is as it was"]
    voice = io.decode(folder / "made" / "voice.flac", sample_rate=RATE, max_seconds=60).samples
    assert np.abs(voice * 32768 - dry).max() <= 1


def test_it_stops_when_told(tmp_path: Path, models_dir: Path) -> None:
    def stop(stage: str, part: float) -> None:
        if stage == "conversion":
            raise Cancelled

    folder = given(tmp_path, sung()[: 2 * FRAMES])
    with pytest.raises(Cancelled):
        TakeSinger(models_dir, KeptConverters(models_dir)).sing(
            folder, TakeRequest("otto", FRAMES), OTTO, folder / "made", stop
        )
