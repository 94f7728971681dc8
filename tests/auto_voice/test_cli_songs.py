import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from auto_voice.cli import app
from auto_voice.jobs.store import JobStore
from auto_voice.settings import SettingsError
from auto_voice.storage.database import migrate
from auto_voice.storage.errors import ProfileNotFound
from pipeline import io
from pipeline.errors import InvalidAudio
from pipeline.song.track import Track
from tests.songs import RATE, song, write_song


@pytest.fixture
def run(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("AUTOVOICE_STORAGE__DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AUTOVOICE_STORAGE__MODELS_DIR", str(models_dir))
    return CliRunner()


def test_a_song_is_converted_without_a_server(run: CliRunner, tmp_path: Path) -> None:
    source, target = write_song(tmp_path / "song.ogg", 5.0), tmp_path / "out" / "new.flac"
    options = ["--voice", "otto", "-o", str(target), "--stems", "--json", "--preset", "fast"]
    result = run.invoke(app, ["convert", str(source), *options], catch_exceptions=False)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["files"]["converted"] == str(target)
    assert {p.name for p in target.parent.iterdir()} == {"new.flac", "new.vocals.wav", "new.instrumental.wav"}
    assert io.decode(target, sample_rate=RATE, max_seconds=10).seconds == pytest.approx(5.0, abs=0.02)
    assert document["notes"] == []


def test_a_song_is_taken_apart_exactly(run: CliRunner, tmp_path: Path) -> None:
    source = write_song(tmp_path / "song.flac", 4.0)
    result = run.invoke(app, ["separate", str(source), "-o", str(tmp_path / "stems")], catch_exceptions=False)
    assert result.exit_code == 0
    vocals, rest = (Track(tmp_path / "stems" / f"song.{name}.wav") for name in ("vocals", "accompaniment"))
    assert np.abs(vocals.read(0, 4 * RATE) + rest.read(0, 4 * RATE) - song(4.0)).max() < 1e-4


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["convert", "nowhere.wav", "--voice", "otto", "-o", "x.wav"], InvalidAudio),
        (["convert", "SONG", "--voice", "nobody", "-o", "x.wav"], ProfileNotFound),
        (["convert", "SONG", "--voice", "otto", "-o", "x.aac"], SettingsError),
        (["convert", "SONG", "--voice", "otto", "-o", "x.wav", "--preset", "best"], SettingsError),
        (["convert", "SONG", "--voice", "otto", "-o", "x.wav", "--pitch", "13"], SettingsError),
        (["convert", "TEXT", "--voice", "otto", "-o", "x.wav"], InvalidAudio),
        (["separate", "TEXT"], InvalidAudio),
    ],
)
def test_what_cannot_be_done_is_told(
    run: CliRunner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    problem: type[Exception],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("no song at all")
    places = {"SONG": str(write_song(tmp_path / "song.wav", 1.5)), "TEXT": str(tmp_path / "text")}
    result = run.invoke(app, [places.get(argument, argument) for argument in arguments])
    assert isinstance(result.exception, problem)
    assert not (tmp_path / "x.wav").exists()
    assert not list(tmp_path.glob(".autovoice-*"))


def test_jobs_are_listed_shown_and_cancelled(run: CliRunner, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'data' / 'jobs.db'}"
    migrate(url)
    store = JobStore(url)
    job = store.submit("song", {"request": {}, "song_name": "[bold]song.mp3"}, user_id="ann")
    store.close()
    assert "[bold]song.mp3" in run.invoke(app, ["jobs", "list"], catch_exceptions=False).stdout
    listed = json.loads(run.invoke(app, ["jobs", "list", "--json", "--user-id", "ann"]).stdout)
    assert listed[0]["conversion_id"] == job.id
    assert json.loads(run.invoke(app, ["jobs", "list", "--json", "--user-id", "bob"]).stdout) == []
    assert run.invoke(app, ["jobs", "cancel", job.id], catch_exceptions=False).exit_code == 0
    assert json.loads(run.invoke(app, ["jobs", "show", job.id]).stdout)["status"] == "cancelled"
