"""The runbook's scripts that are thin over the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from auto_voice import __version__
from bench.bursts import write_wav
from bench.service import Service
from pipeline.synthetic import sing, vibrato

ROOT = Path(__file__).resolve().parents[2]
RATE = 48_000


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        env={**os.environ, "COLUMNS": "200", "PATH": path, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def script(name: str) -> str:
    return str(ROOT / "scripts" / name)


def test_a_working_server_is_well_and_none_is_not(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        well = run("sh", script("health_check.sh"), service.url)
    assert well.returncode == 0, well.stdout + well.stderr
    assert "Health check passed" in well.stdout
    gone = run("sh", script("health_check.sh"), service.url)
    assert (gone.returncode, gone.stdout.startswith("FAIL")) == (1, True)


def test_backup_and_restore(tmp_path: Path) -> None:
    data = {"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path / "data")}
    assert run(sys.executable, script("init_db.py"), **data).returncode == 0
    made = run("sh", script("backup.sh"), str(tmp_path / "backups"), **data)
    assert made.returncode == 0, made.stderr
    archive = made.stdout.strip()
    restored = run("sh", script("restore.sh"), archive, **data)
    assert restored.returncode == 0, restored.stderr
    assert "are back" in restored.stdout
    Path(archive).write_bytes(b"damaged")
    assert run("sh", script("restore.sh"), archive, **data).returncode != 0
    assert run("sh", script("restore.sh"), **data).returncode != 0


def test_scripts_take_what_runbooks_of_old_say(tmp_path: Path, models_dir: Path) -> None:
    data = {"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path), "AUTOVOICE_STORAGE__MODELS_DIR": str(models_dir)}
    for name, arguments, code in (
        ("download_models.py", ("--version", f"v{__version__}"), 0),
        ("download_models.py", ("--version", "0.0.1"), 1),
        ("init_db.py", ("--config", str(ROOT / "config" / "production.yaml")), 0),
        ("create_user.py", ("--username", "admin", "--role", "admin"), 0),
        ("migrate_db.py", (), 0),
        ("quality_report.py", ("--conversions", str(tmp_path), "--output", str(tmp_path / "q.html")), 0),
    ):
        done = run(sys.executable, script(name), *arguments, **data)
        assert done.returncode == code, (name, done.stderr)
    assert (tmp_path / "q.html").read_text().startswith("<!doctype html>")


def test_the_cache_is_cleaned(tmp_path: Path) -> None:
    data = {"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path)}
    for arguments in ((), ("--max-size-gb", "0.5"), ("--all",), ("--kind", "stems", "--unused-days", "7")):
        done = run(sys.executable, script("optimize_cache.py"), *arguments, **data)
        assert done.returncode == 0, done.stderr
        assert "MB freed" in done.stdout
    done = run(sys.executable, script("optimize_cache.py"), "--kind", "../x", **data)
    assert (done.returncode, "holds no" in done.stderr) == (2, True)


def test_unused_weights_are_listed_and_removed_when_told(tmp_path: Path) -> None:
    known = tmp_path / "swift-f0-0.3.0.onnx"
    kept = tmp_path / "demucs" / "htdemucs.th"
    half, folder, strange = tmp_path / "x.th.part", tmp_path / ".fetch-abc" / "x.whl", tmp_path / "old.pt"
    for path in (known, kept, half, folder, strange):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"1234")
    models = {"AUTOVOICE_STORAGE__MODELS_DIR": str(tmp_path)}

    def prune(*options: str) -> str:
        done = run(sys.executable, script("model_pruning.py"), *options, **models)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "3 found" in prune()
    assert all(path.exists() for path in (known, kept, half, folder, strange))
    prune("--remove")
    assert [path.exists() for path in (known, kept, half, folder.parent, strange)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    prune("--remove", "--unknown")
    assert [path.exists() for path in (known, kept, strange)] == [True, True, False]


def test_the_network_is_written_as_onnx_and_compared(tmp_path: Path) -> None:
    done = run(sys.executable, script("convert_to_tensorrt.py"), "-o", str(tmp_path / "voice.onnx"))
    assert done.returncode == 0, done.stderr
    assert "of torch" in done.stdout
    assert (tmp_path / "voice.onnx").stat().st_size > 1e6
    done = run(sys.executable, script("convert_to_tensorrt.py"), "-o", str(tmp_path / "voice.bin"))
    assert done.returncode != 0
    assert "does not end in .onnx" in done.stderr


def test_a_song_is_taken_apart_and_its_parts_add_up(tmp_path: Path, models_dir: Path) -> None:
    rng = np.random.default_rng(2)
    sung = sing(vibrato(220.0, 4.0, RATE), RATE, rng, vowel="a")
    write_wav(tmp_path / "song.wav", 0.5 * sung + 0.05 * rng.standard_normal(len(sung)))
    done = run(
        sys.executable,
        script("test_separation.py"),
        "--song",
        str(tmp_path / "song.wav"),
        "--preset",
        "fast",
        "--output",
        str(tmp_path / "stems"),
        AUTOVOICE_STORAGE__MODELS_DIR=str(models_dir),
        AUTOVOICE_STORAGE__DATA_DIR=str(tmp_path / "data"),
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert figures["seconds"] == pytest.approx(4.0, abs=0.1)
    assert figures["residual_db"] < -30
    assert figures["vocals_db"] < 1
    assert (tmp_path / "stems" / "song.vocals.wav").is_file()


def test_a_report_is_written_for_a_server_without_songs(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    data = {"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path / "data")}
    done = run(sys.executable, script("quality_report.py"), "--output", str(target), **data)
    assert done.returncode == 0, done.stderr
    assert "No song has been converted yet." in target.read_text()


def test_an_alert_is_posted_as_it_was_written() -> None:
    heard: list[object] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *given: object) -> None: ...

    message = 'It said "no"; then $HOME & `id`\nüber <b>'
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        done = run("sh", script("send_alert.sh"), message, AUTOVOICE_ALERT_URL=url)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert heard == [{"text": message}]
    assert run("sh", script("send_alert.sh"), message, AUTOVOICE_ALERT_URL=url).returncode != 0, (
        "nobody listens"
    )
    silent = run("sh", script("send_alert.sh"), message, AUTOVOICE_ALERT_URL="")
    assert (silent.returncode, "AUTOVOICE_ALERT_URL is not set" in silent.stderr) == (1, True)


def test_what_would_be_installed_is_said() -> None:
    done = run("sh", script("setup_pytorch_env.sh"), "--dry-run", TORCH_INDEX="INDEX")
    assert done.returncode == 0, done.stderr
    assert (
        "env PIP_INDEX_URL=INDEX .venv/bin/python -m pip install torch==2.11.* torchaudio==2.11.*"
        in done.stdout
    )
    assert "make setup" in done.stdout
    if not shutil.which("nvcc") and shutil.which("apt-get"):
        assert "nvidia-cuda-toolkit" in run("sh", script("install_cuda_toolkit.sh")).stdout


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_the_shell_scripts_are_clean() -> None:
    files = sorted(str(path) for path in (ROOT / "scripts").glob("*.sh"))
    done = run("shellcheck", *files)
    assert done.returncode == 0, done.stdout


def test_weights_that_are_there_are_not_fetched_again(models_dir: Path) -> None:
    done = run(sys.executable, script("download_models.py"), AUTOVOICE_STORAGE__MODELS_DIR=str(models_dir))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("shift", "code"), [(0.0, 0), (1.0, 1)])
def test_quality_is_measured_against_its_targets(
    tmp_path: Path, models_dir: Path, shift: float, code: int
) -> None:
    for name, semitones in (("sung", 0.0), ("made", shift)):
        line = sing(
            vibrato(220.0 * 2 ** (semitones / 12), 3.0, RATE), RATE, np.random.default_rng(1), vowel="a"
        )
        write_wav(tmp_path / f"{name}.wav", 0.8 * line)
    done = run(
        sys.executable,
        script("check_quality.py"),
        str(tmp_path / "sung.wav"),
        str(tmp_path / "made.wav"),
        AUTOVOICE_STORAGE__MODELS_DIR=str(models_dir),
    )
    assert done.returncode == code, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert any("pitch RMSE" in warning for warning in found["warnings"]) == bool(code)
