"""A server that is used in every way for some minutes holds no more at the end than at the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.footprint import Footprint, stray
from bench.soak import growth

ROOT = Path(__file__).resolve().parents[2]
MINUTES = float(os.environ.get("AUTOVOICE_SOAK_MINUTES", "3"))  # 30 at night
A_FEW = 2  # less than one for each of the dozens of visits between the looks that are compared
GROWTHS = ("files_growth", "threads_growth", "tasks_growth", "helpers_growth")
NONE = ("unexplained_drops", "stray_files", "wrong_answers")
DONE = ("sessions", "songs", "clones", "refused_uploads", "broken_uploads", "texts", "scrapes")


@pytest.mark.timeout(60 * MINUTES + 240)
def test_nothing_grows(tmp_path: Path, models_dir: Path) -> None:
    file = tmp_path / "soak.json"
    command = [sys.executable, "-m", "bench.soak", "--minutes", str(MINUTES), "--json", str(file)]
    environ = {**os.environ, "AUTOVOICE_STORAGE__MODELS_DIR": str(models_dir)}
    run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    figures = {name: figure["value"] for name, figure in json.loads(file.read_text())["figures"].items()}
    assert all(figures[kind] for kind in DONE), figures
    assert {name: figures[name] for name in NONE if figures[name]} == {}, run.stdout
    assert {name: figures[name] for name in GROWTHS if figures[name] > A_FEW} == {}, run.stdout
    assert figures["memory_growth_mb"] <= 10, run.stdout


def look(memory_mb: float) -> Footprint:
    return Footprint(memory_mb, 0.0, 0, 40, 20, 8, 0)


def test_growth_is_between_the_thirds_and_forgets_the_first() -> None:
    looks = [look(mb) for mb in (100, 300, 400, 401, 402, 403, 410, 411, 412)]
    assert growth(looks, lambda one: one.memory_mb) == 411 - 402


def test_what_belongs_to_nothing_is_found(tmp_path: Path) -> None:
    data, temp = tmp_path / "data", tmp_path / "tmp"
    for path in ("data/results/conv-1/upload", "data/results/conv-2/upload", "tmp/x", "data/cache/a.part"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (data / "temp" / "clone-1").mkdir(parents=True)
    found = {path.name for path in stray(data, temp, ["conv-1"])}
    assert found == {"conv-2", "x", "a.part", "clone-1"}
