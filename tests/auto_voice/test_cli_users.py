from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "COLUMNS": "200", "AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def autovoice(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(tmp_path, "-m", "auto_voice.cli", *arguments)


def test_users_and_keys_from_the_first_to_the_last(tmp_path: Path) -> None:
    made = autovoice(tmp_path, "users", "create", "ada", "--role", "admin")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("av_")
    assert autovoice(tmp_path, "users", "create", "ada").returncode == 2
    second = autovoice(tmp_path, "keys", "create", "ada", "--label", "phone", "--days", "30")
    listed = json.loads(autovoice(tmp_path, "keys", "list", "ada", "--json").stdout)
    assert {key["label"] for key in listed} == {"first", "phone"}
    assert made.stdout.strip() not in json.dumps(listed)
    phone = next(key for key in listed if key["label"] == "phone")
    assert second.stdout.split("_")[1] == phone["id"]
    assert phone["expires"] and not phone["revoked"]
    assert autovoice(tmp_path, "keys", "revoke", phone["id"]).returncode == 0
    assert "ada" in autovoice(tmp_path, "users", "list").stdout


def test_the_scripts_of_the_runbook(tmp_path: Path) -> None:
    for script in ("init_db.py", "migrate_db.py"):
        assert run(tmp_path, str(ROOT / "scripts" / script)).returncode == 0
    made = run(tmp_path, str(ROOT / "scripts" / "create_user.py"), "--username", "admin", "--role", "admin")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("av_")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_the_server_lets_nobody_from_outside_in_without_keys(tmp_path: Path, host: str) -> None:
    refused = autovoice(tmp_path, "serve", "--host", host)
    assert refused.returncode == 2
    assert "--insecure" in refused.stderr
