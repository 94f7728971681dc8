import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from auto_voice.cli import app
from auto_voice.settings import load_settings
from auto_voice.storage.profiles import ProfileStore
from pipeline import io
from pipeline.pitch.live import track
from pipeline.synthetic import sing

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose data is its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AUTOVOICE_")}
    return {**kept, "AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path / "data"), "NO_COLOR": "1"}


@pytest.fixture
def autovoice(environ: dict[str, str], tmp_path: Path) -> Run:
    """The real command in a process of its own."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "auto_voice.cli", *words]
        return subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for command in ("serve", "weights", "doctor", "voice-clone", "convert-voice", "voices"):
        assert command in result.output
    heavy = ("torch", "numba", "av", "aiohttp")
    code = f"import sys, auto_voice.cli; print(*[m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""


def test_voices_are_listed_and_shown_as_json(autovoice: Run) -> None:
    listed = json.loads(autovoice("voices", "list", "--json").stdout)
    assert len(listed) >= 6
    shown = json.loads(autovoice("voices", "show", listed[0]["profile_id"]).stdout)
    assert shown["profile_id"] == listed[0]["profile_id"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("voices", "show", "[/nobody]"), "[/nobody]"),
        (("voices", "delete", "nobody", "--user-id", "u"), "nobody"),
        (("voice-clone", "--audio", "nowhere.wav", "--user-id", "u", "--name", "n"), "nowhere.wav"),
        (("convert-voice", "nowhere.wav", "out.wav", "--voice", "nobody"), "nobody"),
        (("convert-voice", "in.wav", "out.wav", "--voice", "otto", "--blend", "nobody:0.5"), "nobody"),
        (("convert-voice", "in.wav", "out.wav", "--voice", "otto", "--blend", "aria:2"), "aria:2"),
        (("convert-voice", "in.wav", "out.wav", "--voice", "otto", "--blend", "aria"), "VOICE:SHARE"),
        (("serve", "--port", "65536"), "server.port"),
        (("serve", "--cert", "nowhere.pem"), "--key"),
        (("serve", "--cert", "nowhere.pem", "--key", "nowhere.key"), "nowhere.pem"),
        (("doctor", "--config", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_a_problem_is_told_in_a_line_with_exit_code_2(
    words: tuple[str, ...], told: str, autovoice: Run
) -> None:
    result = autovoice(*words)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert told in result.stderr.splitlines()[0]
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_told(autovoice: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = autovoice("serve", "--port", port)
    assert result.returncode == 2
    assert f"error: cannot listen on 127.0.0.1:{port}" in result.stderr
    assert "Traceback" not in result.stderr


def test_serve_answers_over_https_with_its_own_certificate(environ: dict[str, str], tmp_path: Path) -> None:
    import ssl

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "auto_voice.cli", "serve", "--tls", "--port", str(port)]
    server = subprocess.Popen(command, env=environ, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        cert = tmp_path / "data" / "tls" / "self-made.crt"
        deadline = time.monotonic() + 120
        while True:
            try:
                trusting = ssl.create_default_context(cafile=str(cert))
                with urllib.request.urlopen(f"https://localhost:{port}/health", context=trusting) as answer:
                    health = json.load(answer)
                break
            except OSError:
                assert server.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server never answered"
                time.sleep(0.2)
    finally:
        server.terminate()
        _, errors = server.communicate(timeout=30)
    assert health["status"] in ("healthy", "degraded")
    assert "SHA-256" in errors


def test_convert_voice_moves_the_pitch(autovoice: Run, tmp_path: Path) -> None:
    rate = 48_000
    io.encode(tmp_path / "in.wav", sing(np.full(2 * rate, 220.0), rate, np.random.default_rng(1)), rate)
    voice = json.loads(autovoice("voices", "list", "--json").stdout)[0]["profile_id"]
    words = ("--voice", voice, "--pitch", "5", "--no-auto-pitch")
    result = autovoice("convert-voice", "in.wav", "out.wav", *words)
    assert result.returncode == 0, result.stderr
    out = io.decode(tmp_path / "out.wav", sample_rate=rate, max_seconds=10).samples
    assert abs(len(out) - 2 * rate) <= 480
    f0 = track(out)[0]
    cents = 1200 * np.log2(np.median(f0[f0 > 0]) / 220.0)
    assert abs(cents - 500) < 20


def test_convert_voice_blends(autovoice: Run, tmp_path: Path) -> None:
    rate = 48_000
    io.encode(tmp_path / "in.wav", sing(np.full(rate, 220.0), rate, np.random.default_rng(1)), rate)
    words = (("otto", "aria:1"), ("aria", "otto:0"), ("otto", "aria:0.5"), ("otto", "otto:0.5"))
    sounds = []
    for voice, blend in words:
        options = ("--voice", voice, "--blend", blend, "--no-auto-pitch")
        result = autovoice("convert-voice", "in.wav", "out.wav", *options)
        assert result.returncode == 0, result.stderr
        sounds.append(io.decode(tmp_path / "out.wav", sample_rate=rate, max_seconds=10).samples)
    aria, also_aria, half, otto = sounds
    assert np.abs(aria - also_aria).max() < 1e-3
    apart = np.sqrt(np.mean((aria - otto) ** 2))
    for alone in (aria, otto):
        assert 0.1 * apart < np.sqrt(np.mean((half - alone) ** 2)) < apart


def test_a_voice_is_cloned_listed_and_deleted(autovoice: Run, tmp_path: Path, recordings: Path) -> None:
    models = load_settings(environ={}).storage.models_dir
    if not (models / "swift-f0-0.3.0.onnx").exists() or not (models / "resemblyzer-0.1.4.pt").exists():
        pytest.skip(f"no weights in {models} (run: autovoice weights)")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(models)
    audio = _half_a_minute(recordings / "speech", tmp_path / "in.wav")
    words = ("voice-clone", "--audio", str(audio), "--user-id", "ann", "--name", "[/Ann]", "--json")
    made = autovoice(*words)
    assert made.returncode == 0, made.stderr
    voice = json.loads(made.stdout)["profile_id"]
    assert ProfileStore(tmp_path / "data" / "voice_profiles").get(voice)["user_id"] == "ann"
    assert "[/Ann]" in autovoice("voices", "list").stdout
    assert autovoice("voices", "delete", voice, "--user-id", "bob").returncode == 2
    assert autovoice("voices", "delete", voice, "--user-id", "ann").returncode == 0
    assert autovoice("voices", "show", voice).returncode == 2


def _half_a_minute(folder: Path, target: Path) -> Path:
    """Join recordings of one speaker, whom the name of the folder or the start of the file's name tells."""
    speakers: dict[str, list[Path]] = {}
    for file in sorted(p for p in folder.rglob("*") if p.suffix in (".wav", ".flac", ".ogg", ".mp3", ".opus")):
        speakers.setdefault(re.split(r"[-_]", file.stem)[0], []).append(file)
    for files in speakers.values():
        parts = [io.decode(file, sample_rate=48_000, max_seconds=120).samples for file in files[:40]]
        sound = np.concatenate(parts)[: 60 * 48_000]
        if len(sound) >= 40 * 48_000:
            io.encode(target, sound, 48_000)
            return target
    pytest.skip(f"no speaker with 40 s in {folder}")
