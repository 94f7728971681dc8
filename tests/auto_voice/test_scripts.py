"""The runbook's scripts that are thin over the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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


def test_the_cache_is_cleaned(tmp_path: Path) -> None:
    data = {"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path)}
    for arguments in ((), ("--max-size-gb", "0.5"), ("--all",)):
        done = run(sys.executable, script("optimize_cache.py"), *arguments, **data)
        assert done.returncode == 0, done.stderr
        assert "MB freed" in done.stdout


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
