"""The whole server in a process of its own, as an operator starts it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from auto_voice.settings import load_settings


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Service:
    """`autovoice serve` in a process of its own, with its data in `folder`.

    Raises:
        RuntimeError: it did not come up within two minutes; the message ends with what it printed.
    """

    def __init__(self, folder: Path, capacity: int = 8) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "service.log"
        self.environment = {
            **os.environ,
            "AUTOVOICE_SERVER__HOST": "127.0.0.1",
            "AUTOVOICE_SERVER__PORT": str(self.port),
            "AUTOVOICE_LIVE__CAPACITY": str(capacity),
            "AUTOVOICE_LIVE__MAX_STEP_FRACTION": "1",  # a busy machine is no reason to refuse the one guest
            # nothing of this user's own is used but the weights
            "AUTOVOICE_STORAGE__DATA_DIR": str(folder),
            "AUTOVOICE_STORAGE__MODELS_DIR": str(load_settings().storage.models_dir),
            "AUTOVOICE_STORAGE__VOICE_PROFILES_DIR": str(folder / "profiles"),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [sys.executable, "-m", "auto_voice.web.app"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"{self.url}/health/ready", timeout=5).close()
                return
            time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the server did not come up:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop the server and wait until it is gone."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
