"""docs/runbook.md, walked: every block that is marked runnable is run, in order, against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from auto_voice.settings import Settings
from bench.bursts import write_wav
from bench.service import Service
from pipeline.synthetic import rest, sing, vibrato

ROOT = Path(__file__).resolve().parents[1]
RATE = 48_000
BLOCKS = re.findall(r"^```bash runnable\n(.*?)^```", (ROOT / "docs" / "runbook.md").read_text(), re.S | re.M)


@dataclass
class Operator:
    """A shell in a folder with recordings, beside a server that wants keys."""

    folder: Path
    environment: dict[str, str]

    def run(self, commands: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


def melody(seconds: float, rng: np.random.Generator) -> np.ndarray:
    notes = [np.concatenate([vibrato(float(f), 0.8, RATE), rest(0.2, RATE)]) for f in rng.uniform(180, 330, 60)]
    line = np.concatenate(notes)[: int(seconds * RATE)]
    return np.asarray(0.8 * sing(line, RATE, rng))


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Operator]:
    folder = tmp_path_factory.mktemp("operator")
    rng = np.random.default_rng(1)
    write_wav(folder / "my_voice.wav", melody(40.0, rng))
    write_wav(folder / "song.wav", melody(8.0, rng))
    service = Service(folder)
    del service.environment["AUTOVOICE_STORAGE__VOICE_PROFILES_DIR"]
    service.environment |= {
        "AUTOVOICE_STORAGE__DATA_DIR": str(folder / "data"),
        "AUTOVOICE_STORAGE__MODELS_DIR": str(models_dir),
        "AUTOVOICE_SECURITY__API_KEY_REQUIRED": "true",
        "AUTOVOICE_SECURITY__CONSENT_REQUIRED": "true",
        "AUTOVOICE_CONFIG": str(ROOT / "config" / "logging.yaml"),
        "AUTOVOICE_LOGGING__FILE": str(folder / "logs" / "app.log"),
        "AUTOVOICE_LOGGING__ERROR_FILE": str(folder / "logs" / "error.log"),
    }
    environment = service.environment | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ROOT": str(ROOT),
        "LOGS": str(folder / "logs"),
        "URL": service.url,
    }
    made = Operator(folder, environment).run("autovoice users create operator 2>/dev/null")
    assert made.returncode == 0, made.stderr
    with service:
        yield Operator(folder, environment | {"KEY": made.stdout.strip()})


def test_there_are_blocks_to_run() -> None:
    assert len(BLOCKS) >= 6


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_does_what_it_says(operator: Operator, number: int) -> None:
    done = operator.run(BLOCKS[number])
    assert done.returncode == 0, f"{BLOCKS[number]}\n{done.stdout}\n{done.stderr}"


def test_every_file_that_the_runbook_links_is_there() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / "docs" / link).exists(), link


def test_every_test_and_script_that_the_tables_name_is_there() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text()
    for name in re.findall(r"`((?:[a-z_]+/)*test_[a-z_]+\.py)`", text):
        places = (ROOT / name, ROOT / "tests" / "auto_voice" / name, ROOT / "scripts" / name)
        assert any(place.is_file() for place in places), name
    for name in re.findall(r"`((?!test_)[a-z_]+\.(?:sh|py))[ `]", text):
        assert (ROOT / "scripts" / name).is_file() or (ROOT / "auto_voice" / name).is_file(), name
    for name in re.findall(r"`([a-z]+\.[a-z_]+)`", text):
        section, key = name.split(".")
        if section in Settings.model_fields:
            assert key in Settings.model_fields[section].annotation.model_fields, name  # type: ignore[union-attr]
