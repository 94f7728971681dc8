"""Real servers in processes of their own, for tests of how they start, share and end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgpack

from auto_voice.storage.database import migrate
from bench.service import free_port

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 120
READY = "ends it)"  # the end of what it says then


def until(condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait for something that must happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


class Server:
    """`autovoice serve` on a port of its own; it ends with the `with` block.

    Args:
        folder: of its data, and of its log.
        settings: such as `SERVER__WORKERS="2"`.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.data = folder / "data"
        self.log = folder / f"{self.port}.log"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AUTOVOICE_")}
        named = {
            "STORAGE__DATA_DIR": str(self.data),
            "SERVER__PORT": str(self.port),
            "LIMITS__CONCURRENT_CONVERSIONS": "0",
            "LIVE__MAX_STEP_FRACTION": "1",  # a busy machine is no reason to refuse a guest
            **settings,
        }
        self.environ = {**kept, **{f"AUTOVOICE_{k}": v for k, v in named.items()}, "PYTHONPATH": str(ROOT)}
        self.process: subprocess.Popen[bytes] | None = None
        self._said = 0

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that signals go to."""
        assert self.process is not None
        return self.process.pid

    @property
    def told(self) -> str:
        """What it logged."""
        return self.log.read_text(errors="replace")

    @property
    def database(self) -> str:
        """The URL of its database, which is there."""
        url = f"sqlite:///{self.data / 'jobs.db'}"
        migrate(url)
        return url

    def start(self) -> Server:
        """Start it; `wait` until it answers."""
        self._said = self.told.count(READY) if self.log.exists() else 0
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "auto_voice.cli", "serve"]
            self.process = subprocess.Popen(
                command, env=self.environ, stderr=log, stdout=log, cwd=self.log.parent
            )
        return self

    def wait(self) -> Server:
        """Wait until it says that it takes connections."""
        until(lambda: self.told.count(READY) > self._said or self._ended())
        return self

    def _ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.told
        return False

    def ask(self, path: str) -> Any:
        """The JSON of an answer, whatever its status is."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            return json.load(refused)

    def text(self, path: str) -> str:
        """The text of an answer."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=20) as answer:
            return str(answer.read().decode())

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def exit_code(self, seconds: float = PATIENCE_S) -> int:
        """Wait until it is gone."""
        assert self.process is not None
        return self.process.wait(seconds)

    def __enter__(self) -> Server:
        return self.start().wait()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise


async def start_live(socket: aiohttp.ClientWebSocketResponse, **more: str) -> dict[str, Any]:
    """Start a live session; the server's answer. More: such as `resume`."""
    start = {"type": "start", "voice": "aria", "converter": "passthrough", **more}
    for message in ({"type": "hello", "version": 1, "client": "test"}, start):
        await socket.send_bytes(msgpack.packb(message))
    return await hear(socket, "start")


async def hear(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    async with asyncio.timeout(60):
        async for message in socket:
            assert message.type is aiohttp.WSMsgType.BINARY
            fields: dict[str, Any] = msgpack.unpackb(message.data)
            if fields["type"] == kind:
                return fields
    raise AssertionError(f"the server closed ({socket.close_code}) before {kind!r}")


def alive(pid: int) -> bool:
    """Whether a process runs (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    """The processes that a process has started (Linux)."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
