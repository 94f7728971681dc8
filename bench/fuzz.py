"""Thousands of damaged audio files for a real server: each must be taken or refused, and nothing else happen.

They are sent as songs and as voices to be cloned. An answer of 5xx is a failure: the process that decodes died.
So is one that does not come, and so is memory that grows.
"""

from __future__ import annotations

import asyncio
import io as memory
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from auto_voice.settings import load_settings
from bench.footprint import family
from bench.mutations import mutate, originals
from bench.report import Report, parser
from bench.server import resident_mb, running

SENDERS = 4
HANGING_S = 60.0
CLONES = 0.2  # of the files; the rest are songs


@dataclass
class Outcome:
    """What became of the files."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    resident_mb: list[float] = field(default_factory=list)  # of all processes, from time to time


class Sender:
    """Sends mutated files, and keeps those that did harm.

    Args:
        address: host:port.
        files: to mutate.
        kept: a folder for what did harm.
    """

    def __init__(self, address: str, files: dict[str, bytes], kept: Path | None) -> None:
        self.outcome = Outcome()
        self._base, self._files, self._kept = f"http://{address}/api/v1", files, kept

    async def send(self, session: aiohttp.ClientSession, seed: int) -> None:
        """Send the file of a seed."""
        rng = random.Random(seed)
        name, data = mutate(self._files, rng)
        clone = rng.random() < CLONES
        fields = {"user_id": "fuzz"} | ({} if clone else {"profile_id": "otto", "preset": "fast"})
        form = aiohttp.FormData(fields)
        form.add_field("audio", memory.BytesIO(data), filename="recording")
        document: dict[str, Any] = {}
        began = time.perf_counter()
        try:
            async with asyncio.timeout(HANGING_S):
                async with session.post(
                    f"{self._base}/{'voice/clone' if clone else 'convert/song'}", data=form
                ) as answer:
                    document = await answer.json()
                if answer.status == 202:
                    await session.delete(f"{self._base}/convert/{document['conversion_id']}?user_id=fuzz")
                elif answer.status == 201:
                    await session.delete(f"{self._base}/voice/profiles/{document['profile_id']}?user_id=fuzz")
            what, bad = str(document.get("error", "taken")), answer.status >= 500
        except (TimeoutError, aiohttp.ClientError) as problem:
            what, bad = type(problem).__name__, True
        self.outcome.seconds.append(time.perf_counter() - began)
        self.outcome.answers[what] += 1
        if bad:
            self.outcome.failures.append(f"seed {seed}: {name}: {what} {document.get('message', '')}")
            if self._kept is not None:
                (self._kept / f"{seed}.bin").write_bytes(data)


async def fuzz(address: str, pid: int, count: int, first: int, kept: Path | None) -> Outcome:
    """Send `count` files, those of the seeds from `first` on."""
    with tempfile.TemporaryDirectory() as name:
        sender = Sender(address, originals(Path(name)), kept)
    seeds = iter(range(first, first + count))

    async def work(session: aiohttp.ClientSession) -> None:
        for seed in seeds:
            await sender.send(session, seed)
            if seed % 50 == 0:
                sender.outcome.resident_mb.append(sum(resident_mb(one) for one in (pid, *family(pid))))

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(SENDERS):
            group.create_task(work(session))
    return sender.outcome


def main() -> int:
    """Send, and report."""
    arguments = parser(__doc__)
    arguments.add_argument("--files", type=int, default=10_000)
    arguments.add_argument("--first-seed", type=int, default=0)
    arguments.add_argument("--keep", type=Path, help="a folder for the files that did harm")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        settings = {
            "AUTOVOICE_STORAGE__DATA_DIR": str(Path(name) / "data"),
            "AUTOVOICE_STORAGE__MODELS_DIR": str(load_settings().storage.models_dir),
            "AUTOVOICE_LIMITS__MIN_PROFILE_DURATION_S": "1",
            "AUTOVOICE_LIMITS__CONCURRENT_CLONES": str(SENDERS),  # none is refused for want of room
            "AUTOVOICE_LIMITS__CONCURRENT_CONVERSIONS": "1",
            "AUTOVOICE_LIMITS__MAX_QUEUE_SIZE": "1000",
            "AUTOVOICE_LIMITS__UPLOAD_SECONDS": "30",
            "AUTOVOICE_LIMITS__UPLOAD_MEMORY_MB": "1024",
        }
        with running(**settings) as (address, pid):
            outcome = asyncio.run(fuzz(address, pid, options.files, options.first_seed, options.keep))
    third = max(1, len(outcome.resident_mb) // 3)
    growth = max(outcome.resident_mb[-third:]) - max(outcome.resident_mb[third : 2 * third])
    report = Report("fuzz")
    report.add("files", sum(outcome.answers.values()), "files")
    report.add("failures", len(outcome.failures), "files", "<= 0", options.files)
    report.add("longest_s", max(outcome.seconds), "s", f"<= {HANGING_S:g}", options.files)
    report.percentiles("answer", [1000 * seconds for seconds in outcome.seconds], "ms")
    report.add("memory_peak_mb", max(outcome.resident_mb), "MB", "", len(outcome.resident_mb))
    report.add("memory_growth_mb", growth, "MB")
    for what, count in outcome.answers.most_common():
        report.add(what, count, "files")
    report.finish(options.json)
    print("\n".join(outcome.failures[:20]))
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
