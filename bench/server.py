"""A real server in a process of its own, and clients that sing to it at the pace of real time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgpack
import numpy as np

from pipeline.converters import DEFAULT
from pipeline.synthetic import rest, sing, vibrato

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60  # songs at work are finished
RATE = 48_000


@contextlib.contextmanager
def running(host: str = "127.0.0.1", **settings: str) -> Iterator[tuple[str, int]]:
    """Start `autovoice serve` on a free port; yields its address (host:port) and process id."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    environ = {**os.environ, "AUTOVOICE_SERVER__HOST": host, "AUTOVOICE_SERVER__PORT": str(port), **settings}
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (a pipe that nobody reads would fill)
    process = subprocess.Popen([sys.executable, "-m", "auto_voice.cli", "serve"], env=environ, stderr=log)
    address = f"{host}:{port}"
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/health", timeout=2):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                raise RuntimeError(f"the server did not start: {log.read()[-3000:]}")
            time.sleep(0.2)
        yield address, process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            log.close()


def song(seconds: float = 20.0, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Synthetic singing as 16-bit samples: notes with vibrato, and rests."""
    rng = np.random.default_rng(seed)
    notes: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    while sum(len(note) for note in notes) < seconds * RATE:
        notes += [vibrato(float(rng.choice([165, 196, 220, 262, 294, 330])), 0.8, RATE), rest(0.15, RATE)]
    voice = sing(np.concatenate(notes), RATE, rng)
    return np.asarray((np.clip(voice, -1, 1) * 32767).astype("<i2"))


@dataclass
class Take:
    """What one client saw."""

    held_ms: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    stats: dict[str, Any] = field(default_factory=dict)
    delay: int = 0
    started: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0


async def perform(
    address: str,
    seconds: float,
    *,
    frame: int = 480,
    converter: str = DEFAULT,
    seed: int = 1,
    each: Callable[[float, Take], None] | None = None,
) -> Take:
    """Sing for `seconds` in frames of `frame` samples; `each` is called about once a second."""
    pcm, take = song(seed=seed), Take()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://{address}/ws/live", max_msg_size=0, compress=0) as socket_,
    ):
        await socket_.send_bytes(msgpack.packb({"type": "hello", "version": 1, "client": "bench"}))
        await socket_.send_bytes(msgpack.packb({"type": "start", "voice": "aria", "converter": converter}))
        reader = asyncio.create_task(_listen(socket_, take))
        await asyncio.wait(
            {reader, asyncio.create_task(take.started.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        began, told = time.perf_counter(), 0.0
        for seq in range(int(seconds * RATE / frame)):
            due = began + seq * frame / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            position = seq * frame
            place = position % (len(pcm) - frame)
            message = {
                "type": "audio",
                "seq": seq,
                "position": position,
                "pcm": pcm[place : place + frame].tobytes(),
            }
            await socket_.send_bytes(msgpack.packb(message))
            take.sent = position + frame
            if each is not None and due - began >= told + 1:
                told = due - began
                each(told, take)
        await asyncio.sleep(0.7)
        await socket_.send_bytes(msgpack.packb({"type": "stats", "t": 0}))
        await asyncio.sleep(0.2)
        await socket_.send_bytes(msgpack.packb({"type": "stop", "reason": "done"}))
        await asyncio.wait_for(reader, 5)
    return take


async def _listen(socket_: aiohttp.ClientWebSocketResponse, take: Take) -> None:
    async for message in socket_:
        if message.type is not aiohttp.WSMsgType.BINARY:
            return
        fields = msgpack.unpackb(message.data)
        if fields["type"] == "audio":
            take.held_ms.append(fields["held_us"] / 1000)
            take.positions.append(fields["position"])
        elif fields["type"] == "start":
            take.delay = fields["delay"]
            take.stats = {"dropped": {}}
            take.started.set()
        elif fields["type"] == "stats":
            take.stats = fields
        elif fields["type"] == "error":
            raise RuntimeError(f"{fields['code']}: {fields['message']}")
        elif fields["type"] == "stop":
            return


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
