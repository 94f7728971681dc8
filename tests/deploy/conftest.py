"""A real nginx with the shipped site, in front of servers of the test's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.service import free_port
from tests.serving import ROOT

SITE = ROOT / "deploy" / "nginx.conf"
MAIN = """daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
Front = Callable[..., "Nginx"]


class Nginx:
    """nginx as it is installed, with the shipped site; its ports, and what `change` names, are replaced.

    Args:
        program: nginx.
        folder: for its files.
        upstreams: ports of two servers.
        change: texts of the site, and what is put in their places.
    """

    def __init__(self, program: str, folder: Path, upstreams: tuple[int, int], change: dict[str, str]) -> None:
        self.port = free_port()
        self._program, self._folder = program, folder
        site = SITE.read_text()
        replaced = {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "127.0.0.1:5000": f"127.0.0.1:{upstreams[0]}",
            "127.0.0.1:5001": f"127.0.0.1:{upstreams[1]}",
            **change,
        }
        for old, new in replaced.items():
            assert old in site, f"{old!r} is not in the site"
            site = site.replace(old, new)
        folder.mkdir(parents=True)
        (folder / "site.conf").write_text(site)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://{self.address}"

    def run(self, *words: str) -> str:
        """What nginx says to options such as `-T`; it must be content."""
        command = [self._program, *self._where, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def _where(self) -> list[str]:
        return [
            "-p",
            str(self._folder),
            "-c",
            str(self._folder / "nginx.conf"),
            "-e",
            str(self._folder / "error.log"),
        ]

    def start(self) -> Nginx:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen([self._program, *self._where])
        pid = self._folder / "nginx.pid"
        deadline = time.monotonic() + 20
        while not (pid.exists() and pid.read_text().strip()):
            assert self.process.poll() is None, (self._folder / "error.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Starts nginx in front of two ports; it ends with the tests of the file."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("nginx is not installed (Debian: nginx-light)")
    started: list[Nginx] = []

    def start(upstreams: tuple[int, int], change: dict[str, str] | None = None) -> Nginx:
        folder = tmp_path_factory.mktemp("nginx") / "etc"
        started.append(Nginx(program, folder, upstreams, change or {}).start())
        return started[-1]

    yield start
    for one in started:
        one.stop()


def block(configuration: str, name: str) -> str:
    """What stands between the braces of a block without inner ones."""
    found = re.search(rf"{re.escape(name)} \{{([^{{}}]*)\}}", configuration)
    assert found is not None, f"no {name!r}"
    return found[1]
