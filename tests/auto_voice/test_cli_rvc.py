"""RVC voices on the command line: imported, changed, merged, sung with, deleted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from auto_voice.cli import app
from auto_voice.settings import SettingsError
from auto_voice.storage.errors import NotMeasured, NotYourProfile
from auto_voice.storage.profiles import ProfileStore
from auto_voice.voice_import import Brought, import_voice
from bench.untrained import write_content_vec
from pipeline import io
from pipeline.content_vec.names import Sizes
from pipeline.converters.rvc.architecture import VoiceModelUnusable
from pipeline.errors import WeightsUnavailable
from pipeline.synthetic import sing, vibrato
from tests.auto_voice.test_pictures import encoded, picture
from tests.checkpoints import size_of, write
from tests.pipeline.converters.rvc.indices import make

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command in this process, for speed; what it raises is raised."""
    monkeypatch.setenv("AUTOVOICE_STORAGE__DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> str:
        done = CliRunner().invoke(app, words)
        if done.exception is not None:
            raise done.exception
        return done.output

    return call


def voices(run: Run) -> dict[str, dict[str, Any]]:
    """Those of Ann, by name."""
    found = json.loads(run("voices", "list", "--user-id", "ann", "--json"))
    return {profile["profile_name"]: profile for profile in found if not profile["builtin"]}


def test_a_voice_from_its_file_to_a_conversion(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "ann.pth")
    (tmp_path / "added.index").write_bytes(make(dims=768).bytes())
    (tmp_path / "ann.png").write_bytes(encoded("png", picture()))
    words = "--index added.index --picture ann.png --user-id ann --name Ann --pitch 12 --protect 0.2"
    more = "--median-f0 210 --speaker 1"
    told = run("voices", "import", "ann.pth", *words.split(), *more.split())
    assert "RVC v2, 48 kHz, 3 speakers, index of 60 features" in told
    assert "autovoice weights contentvec" in told
    profile = voices(run)["Ann"]
    assert profile["settings"] == {
        "speaker": 1,
        "index_rate": 0.5,
        "protect": 0.2,
        "rms_mix": 1.0,
        "pitch_semitones": 12.0,
        "formant_semitones": 0.0,
        "median_f0_hz": 210.0,
    }
    assert profile["picture_url"]
    assert "autovoice weights contentvec" in run("voices", "list", "--user-id", "ann")

    voice_id = profile["profile_id"]
    sung = sing(vibrato(220, 1.0, 48_000), 48_000, np.random.default_rng(1))
    io.encode(tmp_path / "in.wav", sung, 48_000)
    with pytest.raises(WeightsUnavailable, match="ContentVec"):
        run("convert-voice", "in.wav", "out.wav", "--voice", voice_id)
    write_content_vec(
        tmp_path / "data" / "models" / "contentvec", Sizes(channels=(8,) * 7, inner=8, position_kernel=8)
    )
    run("convert-voice", "in.wav", "out.wav", "--voice", voice_id)
    made = io.decode(tmp_path / "out.wav", sample_rate=48_000, max_seconds=10).samples
    assert len(made) == len(sung)
    assert np.abs(made).max() > 0.003
    with pytest.raises(NotMeasured):
        run("convert-voice", "in.wav", "out.wav", "--voice", voice_id, "--blend", "aria:0.5")
    with pytest.raises(NotMeasured):
        run("convert-voice", "in.wav", "out.wav", "--voice", "aria", "--blend", f"{voice_id}:0.5")


def test_a_voice_is_changed_merged_and_deleted(run: Run, tmp_path: Path) -> None:
    store = ProfileStore(tmp_path / "data" / "voice_profiles")
    for seed, (name, version) in enumerate((("Ann", "v2"), ("Bea", "v2"), ("Old", "v1"))):
        model = write(tmp_path / "model", size_of(version=version), seed)
        with store.new_folder() as folder:
            folder.keep(import_voice(Brought(model, None, None, {}), folder.path), "ann", name)
    ids = {name: profile["profile_id"] for name, profile in voices(run).items()}
    assert set(ids) == {"Ann", "Bea", "Old"}
    told = run("voices", "set", ids["Ann"], "--user-id", "ann", "--name", "Anna", "--rms-mix", "0.25")
    assert "Anna" in told
    assert voices(run)["Anna"]["settings"]["rms_mix"] == 0.25
    (tmp_path / "face.png").write_bytes(encoded("png", picture()))
    run("voices", "set", ids["Ann"], "--user-id", "ann", "--picture", "face.png")
    assert voices(run)["Anna"]["picture_url"]
    run("voices", "set", ids["Ann"], "--user-id", "ann", "--no-picture")
    assert voices(run)["Anna"]["picture_url"] is None
    run("voices", "merge", ids["Ann"], ids["Bea"], "--user-id", "ann", "--share", "0.25", "--name", "Both")
    both = voices(run)["Both"]
    assert (both["model"]["info"], both["settings"]["rms_mix"]) == ("merged, 25 % of the second", 0.25)
    with pytest.raises(VoiceModelUnusable, match="RVC version differs"):
        run("voices", "merge", ids["Ann"], ids["Old"], "--user-id", "ann")
    with pytest.raises(SettingsError, match="no RVC voice"):
        run("voices", "merge", ids["Ann"], "aria", "--user-id", "ann")
    for words in (
        ("merge", ids["Ann"], ids["Bea"], "--user-id", "bob"),
        ("set", ids["Ann"], "--user-id", "bob", "--name", "Mine"),
        ("delete", ids["Ann"], "--user-id", "bob"),
    ):
        with pytest.raises(NotYourProfile):
            run("voices", *words)
    for words, told in (
        (("--pitch", "99"), "pitch_semitones"),
        (("--speaker", "3"), "3 speakers"),
    ):
        with pytest.raises(SettingsError, match=told):
            run("voices", "set", ids["Ann"], "--user-id", "ann", *words)
    with pytest.raises(SettingsError, match="only RVC voices"):
        run("voices", "set", "aria", "--user-id", "ann", "--pitch", "1")
    run("voices", "delete", both["profile_id"], "--user-id", "ann")
    assert set(voices(run)) == {"Anna", "Bea", "Old"}


def test_a_hostile_file_is_told_about_in_a_line(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    code = (
        "import sys, os, torch\n"
        "class Payload:\n"
        "    def __reduce__(self): return os.system, (f'touch {sys.argv[2]}',)\n"
        "torch.save({'weight': Payload()}, sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "bad.pth"), str(trace)], check=True)
    environ = {**os.environ, "AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path / "data"), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "auto_voice.cli", "voices", "import", "bad.pth", "--user-id", "ann"]
    done = subprocess.run(
        command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the file holds more than weights")
    assert "Traceback" not in done.stderr
    assert not trace.exists()
    assert not list((tmp_path / "data" / "voice_profiles").iterdir())
