"""What people do with a server all day: sing, clone a voice, convert a song, send rubbish, leave, and watch."""

from __future__ import annotations

import asyncio
import io as memory
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.callers import Refused, carry_calls
from bench.lines import LINES

API = "/api/v1"
SCRAPE_S = 2.0
POLL_S = 0.3


@dataclass
class Visits:
    """What was done and what came of it.

    Attributes:
        done: how often, by kind.
        unopened: sessions that could not be opened in time, on a machine that others keep busy.
        wrong: answers that nobody should get.
        jobs: conversions that were accepted.
    """

    done: Counter[str] = field(default_factory=Counter)
    unopened: int = 0
    wrong: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)


class Visitors:
    """People who come to one server until a round ends.

    Args:
        address: host:port.
        pid: the server's process.
        voice: a recording to clone, as a file's bytes.
        song: to convert, as a file's bytes.
        rng: what they choose by.
    """

    def __init__(self, address: str, pid: int, voice: bytes, song: bytes, rng: random.Random) -> None:
        self.visits = Visits()
        self._address, self._pid = address, pid
        self._voice, self._song, self._rng = voice, song, rng

    async def round(self, seconds: float) -> None:
        """All of them at once, each again and again; whoever is at something when it ends finishes it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        async with aiohttp.ClientSession(f"http://{self._address}") as session:

            async def again(kind: str, visit: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
                while loop.time() < end:
                    await visit(session)
                    self.visits.done[kind] += 1

            async with asyncio.TaskGroup() as group:
                for kind, visit in (
                    ("sessions", self._sing),
                    ("songs", self._convert),
                    ("clones", self._clone),
                    ("refused_uploads", self._send_rubbish),
                    ("broken_uploads", self._leave),
                    ("texts", self._speak),
                    ("scrapes", self._scrape),
                ):
                    group.create_task(again(kind, visit))

    def _expect(self, what: str, status: int, *good: int) -> None:
        if status not in good:
            self.visits.wrong.append(f"{what}: {status}")

    async def _sing(self, _: aiohttp.ClientSession) -> None:
        name = self._rng.choice(sorted(LINES))
        try:
            await carry_calls(LINES[name], name == "track", self._address, self._pid, 1, 2.0, "classic")
        except (TimeoutError, Refused):  # WebRTC did not come about in its time, or the processor is busy
            self.visits.unopened += 1

    async def _convert(self, session: aiohttp.ClientSession) -> None:
        form = aiohttp.FormData({"profile_id": "otto", "preset": "fast", "user_id": "soak"})
        form.add_field("song", memory.BytesIO(self._song), filename="song.wav")
        async with session.post(f"{API}/convert/song", data=form) as answer:
            self._expect("convert", answer.status, 202)
            if answer.status != 202:
                return
            job = (await answer.json())["conversion_id"]
        self.visits.jobs.append(job)
        if self._rng.random() < 0.2:
            async with session.post(f"{API}/convert/cancel/{job}") as answer:
                self._expect("cancel", answer.status, 200, 409)
        document: dict[str, Any] = {}
        while document.get("status") not in ("completed", "failed", "cancelled"):
            await asyncio.sleep(POLL_S)
            async with session.get(f"{API}/convert/status/{job}") as answer:
                document = await answer.json()
        if document["status"] == "failed":
            self.visits.wrong.append(f"job: {document['error']}"[:300])
        if document["status"] == "completed":
            async with session.get(document["result"]["converted_audio_url"]) as answer:
                self._expect("download", answer.status, 200)
                await answer.read()

    async def _clone(self, session: aiohttp.ClientSession) -> None:
        form = aiohttp.FormData({"user_id": "soak", "profile_name": "soak", "consent": "it is synthetic"})
        form.add_field("reference_audio", memory.BytesIO(self._voice), filename="voice.wav")
        async with session.post(f"{API}/voice/clone", data=form) as answer:
            self._expect("clone", answer.status, 201)
            profile = (await answer.json()).get("profile_id")
        if profile is not None:
            async with session.delete(f"{API}/voice/profiles/{profile}", params={"user_id": "soak"}) as answer:
                self._expect("delete", answer.status, 200)

    async def _send_rubbish(self, session: aiohttp.ClientSession) -> None:
        rubbish = [b"", self._rng.randbytes(5000), self._song[: self._rng.randrange(20, 200)], b"#!/bin/sh\n"]
        form = aiohttp.FormData({"profile_id": "otto"})
        form.add_field("song", memory.BytesIO(self._rng.choice(rubbish)), filename="../song.mp3")
        async with session.post(f"{API}/convert/song", data=form) as answer:
            self._expect(f"rubbish {await answer.text()}", answer.status, 400)
        await asyncio.sleep(0.5)

    async def _leave(self, session: aiohttp.ClientSession) -> None:
        """Send half of a song, and go."""
        _, writer = await asyncio.open_connection(*self._address.split(":"))
        head = (
            f"POST {API}/convert/song HTTP/1.1\r\nHost: {self._address}\r\n"
            f"Content-Length: {len(self._song)}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            '--x\r\nContent-Disposition: form-data; name="song"; filename="song.wav"\r\n\r\n'
        )
        writer.write(head.encode() + self._song[: len(self._song) // 2])
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.transport.abort()
        await asyncio.sleep(0.8)

    async def _speak(self, session: aiohttp.ClientSession) -> None:
        wish = {"text": "La la la.", "stream": True, "voice": "aria"}
        async with session.post(f"{API}/synthesize", json=wish) as answer:
            self._expect("speech", answer.status, 200, 503)  # 503: without the extra `speech`
            await answer.read()
        await asyncio.sleep(3.0)

    async def _scrape(self, session: aiohttp.ClientSession) -> None:
        for path in ("/metrics", "/health", "/", f"{API}/voice/profiles", f"{API}/convert/jobs?user_id=soak"):
            async with session.get(path) as answer:
                self._expect(path, answer.status, 200)
                await answer.read()
        await asyncio.sleep(SCRAPE_S)
