"""Live sessions whose audio goes by Opus tracks: a real peer connection to the whole server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgpack
import numpy as np
import pytest

from auto_voice.web.live_offer import PEERS
from auto_voice.web.websocket_handler import CONVERSATIONS, ENGINE
from bench.lines import DataLine, Line, TrackLine
from kernels import opus
from pipeline.synthetic import sing, vibrato
from tests.auto_voice.web.conftest import Client
from tests.live import until

RATE, FRAME = 48_000, 480


class Caller:
    """A line to the server, and what was heard of it."""

    def __init__(self, client: Client, line: Line) -> None:
        server = client.server
        assert server is not None
        self.address = f"{server.host}:{server.port}"
        self.line = line
        self.heard: list[dict[str, Any]] = []
        self.packets: list[dict[str, Any]] = []

    async def call(self) -> None:
        await self.line.open(self.address, self._hear)

    def _hear(self, message: dict[str, Any]) -> None:
        (self.packets if message["type"] == "audio" else self.heard).append(message)

    async def message(self, kind: str) -> dict[str, Any]:
        await until(lambda: any(m["type"] == kind for m in self.heard))
        return next(m for m in self.heard if m["type"] == kind)

    async def start(self, **fields: Any) -> dict[str, Any]:
        await self.line.send({"type": "hello", "version": 1, "client": "a test"})
        await self.message("hello")
        await self.line.send({"type": "start", "voice": "otto", "converter": "passthrough"} | fields)
        return await self.message("start")

    async def sing(self, sound: np.ndarray, first: int = 0) -> None:
        for seq in range(len(sound) // FRAME):
            at = seq * FRAME
            self.line.sing(first + seq, first * FRAME + at, sound[at : at + FRAME].tobytes())
            await asyncio.sleep(0.01)

    def sound(self, length: int) -> np.ndarray:
        """What was heard, where it belongs."""
        decoder, heard = opus.Decoder(), np.zeros(length + FRAME, np.int16)
        for packet in self.packets:
            at, pcm = packet["position"], decoder.decode(packet["opus"])
            if pcm is not None and 0 <= at <= length:
                heard[at : at + len(pcm)] = pcm
        return heard[:length]


Call = Callable[[Line], Awaitable[Caller]]


@pytest.fixture
async def call(client: Client) -> AsyncIterator[Call]:
    """Callers that hang up after the test."""
    callers: list[Caller] = []

    async def call(line: Line) -> Caller:
        callers.append(Caller(client, line))
        await callers[-1].call()
        return callers[-1]

    yield call
    for caller in callers:
        await caller.line.close()


def voice(seconds: float) -> np.ndarray:
    line = sing(vibrato(220.0, seconds, RATE), RATE, np.random.default_rng(1), vowel="a")
    return (line * 20_000).astype(np.int16)


async def test_positions_survive_the_codec(client: Client, call: Call) -> None:
    caller = await call(TrackLine())
    started = await caller.start()
    assert started["track"].keys() == {"timestamp", "position"}
    sound = voice(1.0)
    await caller.sing(sound)
    await until(lambda: len(caller.packets) >= 97)
    heard = caller.sound(len(sound))[4800:43_200].astype(float)
    expected = sound[4800:43_200].astype(float)
    assert 10 * np.log10((expected**2).sum() / ((heard - expected) ** 2).sum()) > 20  # to the sample, then
    assert all(len(packet["opus"]) < 400 for packet in caller.packets)  # 10 ms each
    await caller.line.send({"type": "stop", "reason": "done"})
    await caller.message("stop")
    server = client.server
    assert server is not None
    await until(lambda: not server.app[PEERS] and not server.app[CONVERSATIONS])
    assert server.app[ENGINE].snapshot().sessions == 0


async def test_one_lost_packet_leaves_no_delay_behind(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = await call(TrackLine())
    await caller.start()
    sound = voice(1.0)
    await caller.sing(sound[:24_000])
    transport = caller.line._connection.getSenders()[0].transport  # type: ignore[attr-defined]
    send, lost = transport._send_rtp, []

    async def lose_one(data: bytes) -> None:
        if not lost and len(data) > 60:  # not a report
            lost.append(data)
        else:
            await send(data)

    monkeypatch.setattr(transport, "_send_rtp", lose_one)
    await caller.sing(sound[24_000:], first=50)
    await until(lambda: len(caller.packets) >= 96)
    await caller.line.send({"type": "stats", "t": 7})
    await until(lambda: any(m.get("t") == 7 for m in caller.heard))
    stats = next(m for m in caller.heard if m.get("t") == 7)
    assert lost
    assert stats["concealed"] == FRAME
    assert stats["network"]["longest_wait_ms"] < 1000 * FRAME / RATE + 50  # a busy machine's timer
    waiting = stats["network"]["waited_ms"]
    assert waiting < 10  # one frame waited; those behind it did not
    heard = caller.sound(len(sound)).astype(float)
    assert np.abs(heard[36_000:43_200] - sound[36_000:43_200]).mean() < 600


async def test_a_session_moves_from_channels_to_a_track(call: Call) -> None:
    before = await call(DataLine())
    began = await before.start()
    await before.sing(voice(0.2))
    after = await call(TrackLine())
    resumed = await after.start(resume=began["token"])
    assert (resumed["resumed"], resumed["session"]) == (True, began["session"])
    await after.sing(voice(0.3), first=20)
    await until(lambda: len(after.packets) >= 25)
    assert min(packet["position"] for packet in after.packets) >= 18 * FRAME


async def test_who_wants_both_sides_hears_both(call: Call) -> None:
    line = TrackLine(wishes="maxaveragebitrate=64000;stereo=1")
    caller = await call(line)
    await caller.start()
    await caller.sing(voice(0.3))
    await until(lambda: len(caller.packets) >= 25)
    assert all(packet["opus"][0] >> 2 & 1 for packet in caller.packets)


async def test_a_track_that_was_not_offered_cannot_be_used(call: Call) -> None:
    caller = await call(DataLine())
    await caller.line.send({"type": "hello", "version": 1, "client": "a test"})
    for track, code in (
        ({"timestamp": 1, "position": 0}, "invalid_parameter"),
        ({"timestamp": 2**32, "position": 0}, "malformed_message"),
        ({"timestamp": 1}, "malformed_message"),
        (7, "malformed_message"),
    ):
        caller.heard.clear()
        await caller.line.send({"type": "start", "voice": "otto", "track": track})
        error = await caller.message("error")
        assert (error["code"], error["fatal"]) == (code, False)
        assert error["suggestions"]
    await caller.line.send({"type": "start", "voice": "otto"})
    assert "track" not in await caller.message("start")


async def test_a_track_that_is_not_named_is_no_way_for_audio(call: Call) -> None:
    line = TrackLine()
    caller = await call(line)
    await line.send({"type": "hello", "version": 1, "client": "a test"})
    await caller.message("hello")
    line._control.send(msgpack.packb({"type": "start", "voice": "otto", "converter": "passthrough"}))
    error = await caller.message("error")
    assert (error["code"], error["fatal"]) == ("invalid_parameter", False)
    await line.send({"type": "start", "voice": "nobody", "converter": "passthrough"})
    await until(lambda: any(m.get("code") == "voice_not_found" for m in caller.heard))
    await line.send({"type": "start", "voice": "otto", "converter": "passthrough"})
    await caller.message("start")
    await caller.sing(voice(0.3))
    await until(lambda: len(caller.packets) >= 25)


async def test_packets_that_are_none_disturb_nobody(call: Call) -> None:
    line = TrackLine()
    caller = await call(line)
    await caller.start()
    rng = np.random.default_rng(3)
    for i in range(60):
        line._track._put(i * FRAME, rng.bytes(int(rng.integers(1, 60))))
        line._track._put(int(rng.integers(0, 2**31)), b"\xff")
        await asyncio.sleep(0)
    await caller.sing(voice(0.5), first=100)
    await until(lambda: any(packet["position"] > 130 * FRAME for packet in caller.packets))


def threads() -> set[threading.Thread]:
    """Those of this process, without the pool that asyncio keeps and grows when it likes."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


async def test_a_peer_that_vanishes_leaves_nothing_behind(client: Client, call: Call) -> None:
    before = threads()
    caller = await call(TrackLine())
    await caller.start()
    await caller.sing(voice(0.2))
    await caller.line.close()
    server = client.server
    assert server is not None
    await until(lambda: not server.app[PEERS] and not server.app[CONVERSATIONS])
    await until(lambda: threads() <= before)
    assert server.app[ENGINE].snapshot().parked == 1
