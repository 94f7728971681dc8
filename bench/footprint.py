"""What a server holds: memory, open files, tasks, threads and temporary files (Linux)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

import aiohttp

from bench.server import resident_mb

TASKS = re.compile(rb"^autovoice_tasks(?:\{.*\})? (\S+)$", re.MULTILINE)
GLANCES = 5  # within a second or so: what ends by itself is none that stayed
HALF_MADE = (".new-", ".clone-", ".backup-", ".fetch-", ".restore-")


@dataclass(frozen=True)
class Footprint:
    """At one moment; of the server's own process, unless the name says otherwise.

    Attributes:
        memory_mb: resident.
        helpers_mb: resident in the processes it has started.
        helpers: how many they are.
        files: descriptors that are open.
        threads, tasks: of asyncio, and of the system.
        stray: files that nothing will ever fetch or take up again.
    """

    memory_mb: float
    helpers_mb: float
    helpers: int
    files: int
    threads: int
    tasks: int
    stray: int


def family(pid: int) -> list[int]:
    """The processes that a process has started, and those they have."""
    found = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return found + [below for child in found for below in family(child)]


async def measure(address: str, pid: int, data: Path, temp: Path, known: Iterable[str]) -> Footprint:
    """Look at a server that nobody uses at this moment, several times: the least that it held of anything.

    Args:
        address: host:port.
        pid: its process.
        data: its folder.
        temp: what it has for TMPDIR.
        known: ids of the conversions that it was asked for.
    """
    lost = stray(data, temp, known)
    looks = []
    for _ in range(GLANCES):
        tasks = await _tasks(address)
        looks.append(await asyncio.to_thread(_look, pid, tasks, lost))
        await asyncio.sleep(0.2)
    return Footprint(*(min(values) for values in zip(*map(astuple, looks), strict=True)))


async def _tasks(address: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as answer:
        told = TASKS.search(await answer.read())
    if told is None:
        raise RuntimeError("the server does not tell how many tasks it has")
    return int(float(told[1]))


def _look(pid: int, tasks: int, lost: list[Path]) -> Footprint:
    helpers, process = family(pid), Path(f"/proc/{pid}")
    return Footprint(
        memory_mb=resident_mb(pid),
        helpers_mb=sum(resident_mb(helper) for helper in helpers),
        helpers=len(helpers),
        files=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
        tasks=tasks,
        stray=len(lost),
    )


def stray(data: Path, temp: Path, known: Iterable[str]) -> list[Path]:
    """Files of a server's folders that belong to nothing it knows."""
    kept = set(known)
    lost = [path for path in temp.rglob("*") if path.is_file()]
    lost += [path for path in (data / "temp").glob("*") if not path.name.startswith("speech-")]
    lost += [path for path in (data / "results").glob("*") if path.name not in kept]
    return lost + [
        path for path in data.rglob("*") if path.name.endswith(".part") or path.name.startswith(HALF_MADE)
    ]
