"""ONNX Runtime, which must report to nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOISY = "import onnxruntime"
QUIET = "from pipeline import onnx"


def left_by(code: str, folder: Path) -> list[str]:
    """What a new process leaves among the temporary files: who reports keeps its identity there."""
    silencers = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")
    environ = {name: value for name, value in os.environ.items() if name not in silencers}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environ | {"TMPDIR": str(folder)})
    return [path.name for path in folder.iterdir()]


def test_it_reports_to_nobody(tmp_path: Path) -> None:
    assert left_by(QUIET, tmp_path) == []


def test_otherwise_it_would(tmp_path: Path) -> None:
    found = left_by(NOISY, tmp_path)
    assert found, "it no longer reports by itself: pipeline.onnx need not silence it any more"


def test_nobody_else_imports_it() -> None:
    rooms = ("auto_voice", "realtime", "pipeline", "kernels", "bench", "training", "scripts")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    importing = {path.name for path in files if "import onnxruntime" in path.read_text()}
    assert importing == {"onnx.py"}


def test_too_little_memory_is_a_memory_error(models_dir: Path) -> None:
    code = f"""
import resource
from pathlib import Path
import numpy as np
from pipeline.pitch.offline import track
from pipeline.weights import FILES
model = Path({str(models_dir)!r}) / FILES["swiftf0"].file_name
track(np.zeros(16_000, np.float32), 16_000, model)
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
try:
    track(np.zeros(16_000 * 1200, np.float32), 16_000, model)
except MemoryError as problem:
    print("refused", len(str(problem)) > 0)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stdout == "refused True\n", run.stderr[-2000:]
