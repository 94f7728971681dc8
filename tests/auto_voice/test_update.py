"""Updates and ways back, in a real repository with two versions.

`make` and `autovoice` of those versions are small programs that note what they were asked (ours takes minutes
to install), with a real HTTP server as the one that is tried; there is no systemd in tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.service import free_port

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = "setup:\n\t@mkdir -p .venv/bin && cp autovoice .venv/bin/autovoice\n"
AUTOVOICE = """#!/usr/bin/env python3
import http.server, sys
with open("{log}", "a") as log:
    log.write("{version}: " + " ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "serve":
    if "{version}" == "v1.2.0":
        sys.exit("broken")
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{{"status": "healthy"}}')
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Answer).serve_forever()
"""

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


class Checkout:
    """An operator's clone of a repository with versions v1.0.0, v1.1.0 and (broken) v1.2.0."""

    def __init__(self, folder: Path) -> None:
        self.origin, self.path, self.log = folder / "origin", folder / "clone", folder / "log"
        (self.origin / "scripts").mkdir(parents=True)
        for name in ("update.sh", "rollback.sh", "backup.sh", "health_check.sh"):
            shutil.copy(ROOT / "scripts" / name, self.origin / "scripts" / name)
        (self.origin / "Makefile").write_text(MAKEFILE)
        (self.origin / ".gitignore").write_text(".venv\nstaging.log\n")
        self.git(self.origin, "init", "--quiet")
        self.release("v1.0.0")
        self.git(folder, "clone", "--quiet", str(self.origin), "clone")
        subprocess.run(["make", "--silent", "setup"], cwd=self.path, check=True)

    def release(self, version: str) -> None:
        program = self.origin / "autovoice"
        program.write_text(AUTOVOICE.format(log=self.log, version=version))
        program.chmod(0o755)
        self.git(self.origin, "add", ".")
        self.git(self.origin, "commit", "--quiet", "-m", version)
        self.git(self.origin, "tag", version)

    def git(self, folder: Path, *command: str) -> str:
        names = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        return subprocess.run(
            ["git", *names, *command], cwd=folder, check=True, capture_output=True, text=True
        ).stdout

    @property
    def version(self) -> str:
        return self.git(self.path, "describe", "--tags").strip()

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "PATH": f"{self.path}/.venv/bin{os.pathsep}{os.environ['PATH']}",
            "STAGING_PORT": str(free_port()),
        }
        return subprocess.run(
            ["sh", f"scripts/{script}", *arguments],
            cwd=self.path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_an_update_is_tried_before_it_is_believed_and_leads_back(checkout: Checkout) -> None:
    checkout.release("v1.1.0")
    done = checkout.run("update.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.version == "v1.1.0"
    asked = checkout.asked
    assert asked[0].startswith("v1.0.0: backup make")
    assert [line.split()[1] for line in asked[1:]] == ["config", "db", "serve"]
    assert all(line.startswith("v1.1.0") for line in asked[1:])
    back = checkout.run("rollback.sh")
    assert back.returncode == 0, back.stderr
    assert checkout.version == "v1.0.0"
    assert "v1.0.0" in (checkout.path / ".venv/bin/autovoice").read_text()
    again = checkout.run("rollback.sh")
    assert (again.returncode, "say which version" in again.stderr) == (1, True)


def test_a_version_that_does_not_come_up_is_left_again(checkout: Checkout) -> None:
    checkout.release("v1.2.0")
    done = checkout.run("update.sh")
    assert done.returncode == 1
    assert "going back" in done.stderr
    assert checkout.version == "v1.0.0"
    assert "v1.0.0" in (checkout.path / ".venv/bin/autovoice").read_text()


def test_data_go_back_with_an_archive(checkout: Checkout) -> None:
    checkout.release("v1.1.0")
    assert checkout.run("update.sh", "v1.1.0").returncode == 0
    assert checkout.run("rollback.sh", "v1.0.0", "a.tar.gz").returncode == 0
    assert checkout.asked[-1] == "v1.0.0: backup restore a.tar.gz"


@pytest.mark.parametrize(
    ("script", "version"), [("update.sh", "v9"), ("rollback.sh", "v9"), ("rollback.sh", "--x")]
)
def test_what_is_not_there_changes_nothing(checkout: Checkout, script: str, version: str) -> None:
    done = checkout.run(script, version)
    assert (done.returncode, "there is no version" in done.stderr) == (1, True)
    assert checkout.version == "v1.0.0"


def test_local_changes_are_not_lost(checkout: Checkout) -> None:
    (checkout.path / "Makefile").write_text("setup:\n")
    for script in ("update.sh", "rollback.sh"):
        done = checkout.run(script, "v1.0.0")
        assert (done.returncode, "local changes" in done.stderr) == (1, True)
