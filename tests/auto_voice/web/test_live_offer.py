"""Live sessions over data channels: a real peer connection to the whole server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from auto_voice.web import live_offer
from auto_voice.web.live_offer import PEERS
from auto_voice.web.websocket_handler import CONVERSATIONS, ENGINE
from tests.auto_voice.web.conftest import Client
from tests.live import until

OFFER = "/api/v1/live/offer"


class Caller:
    """A browser's side of the connection."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.control = self.connection.createDataChannel("control")
        self.audio = self.connection.createDataChannel("audio", ordered=False, maxRetransmits=0)
        self.heard: list[dict[str, Any]] = []
        self.sound: list[dict[str, Any]] = []
        self._open: list[RTCDataChannel] = []
        for channel in (self.control, self.audio):
            channel.on("open", lambda channel=channel: self._open.append(channel))
        self.control.on("message", lambda data: self.heard.append(msgpack.unpackb(data)))
        self.audio.on("message", lambda data: self.sound.append(msgpack.unpackb(data)))

    async def call(self) -> None:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        local = self.connection.localDescription
        async with self.client.post(OFFER, json={"type": local.type, "sdp": local.sdp}) as response:
            answer = await response.json()
            assert response.status == 200, answer
        await self.connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        await until(lambda: len(self._open) == 2)

    def send(self, kind: str, **fields: Any) -> None:
        self.control.send(msgpack.packb({"type": kind, **fields}))

    def sing(self, seq: int, pcm: np.ndarray) -> None:
        message = {"type": "audio", "seq": seq, "position": seq * 480, "pcm": pcm.astype("<i2").tobytes()}
        self.audio.send(msgpack.packb(message))

    async def message(self, kind: str) -> dict[str, Any]:
        await until(lambda: any(m["type"] == kind for m in self.heard))
        return next(m for m in self.heard if m["type"] == kind)

    async def start(self, **fields: Any) -> dict[str, Any]:
        self.send("hello", version=1, client="a test")
        await self.message("hello")
        self.send("start", voice="otto", **fields)
        return await self.message("start")


@pytest.fixture
async def caller(client: Client) -> AsyncIterator[Caller]:
    """A caller that hangs up after the test."""
    caller = Caller(client)
    yield caller
    await caller.connection.close()


async def test_a_session_over_data_channels(client: Client, caller: Caller) -> None:
    await caller.call()
    started = await caller.start(converter="passthrough")
    assert started["delay"] == 0
    voice = (8000 * np.sin(np.arange(48_000) * 0.03)).astype(np.int16)
    for seq in range(50):
        caller.sing(seq, voice[seq * 480 : (seq + 1) * 480])
        await asyncio.sleep(0.01)
    await until(lambda: len(caller.sound) == 50)
    assert sorted(m["position"] for m in caller.sound) == [seq * 480 for seq in range(50)]
    for message in caller.sound:
        at = message["position"]
        back = np.frombuffer(message["pcm"], "<i2").astype(int)
        assert np.abs(back - voice[at : at + 480]).max() <= 1
    assert (await caller.message("stats"))["dropped"] == {}
    caller.send("stop", reason="done")
    assert (await caller.message("stop"))["reason"] == "as you wish"
    server = client.server
    assert server is not None
    await until(lambda: not server.app[PEERS] and not server.app[CONVERSATIONS])
    assert server.app[ENGINE].snapshot().sessions == 0


async def test_a_caller_that_vanishes_may_come_back(client: Client, caller: Caller) -> None:
    await caller.call()
    began = await caller.start(converter="passthrough", controls={"pitch_semitones": 3})
    await caller.connection.close()
    server = client.server
    assert server is not None
    await until(lambda: not server.app[PEERS] and not server.app[CONVERSATIONS])
    assert server.app[ENGINE].snapshot().parked == 1
    again = Caller(client)
    await again.call()
    resumed = await again.start(resume=began["token"])
    assert (resumed["resumed"], resumed["session"]) == (True, began["session"])
    assert resumed["controls"]["pitch_semitones"] == 3
    again.send("stop", reason="done")
    await until(lambda: not server.app[PEERS])
    assert server.app[ENGINE].snapshot().sessions == 0
    await again.connection.close()


async def test_a_session_moves_to_another_line_while_it_runs(client: Client, caller: Caller) -> None:
    await caller.call()
    began = await caller.start(converter="passthrough")
    other = Caller(client)
    await other.call()
    assert (await other.start(resume=began["token"]))["resumed"]
    server = client.server
    assert server is not None
    await until(lambda: len(server.app[PEERS]) == 1)  # the old line is hung up
    other.sing(0, np.full(480, 1000))
    await until(lambda: len(other.sound) == 1)
    assert not caller.sound
    await other.connection.close()


async def test_problems_are_told_over_control(caller: Caller) -> None:
    await caller.call()
    caller.control.send("text")
    error = await caller.message("error")
    assert (error["code"], error["fatal"]) == ("malformed_message", False)
    await caller.start(converter="passthrough")
    caller.heard.clear()
    caller.audio.send(msgpack.packb({"type": "hello", "version": 1, "client": "wrong channel"}))
    assert (await caller.message("error"))["code"] == "unexpected_message"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "answer", "sdp": "v=0"},
        {"type": "offer", "sdp": 7},
        {"type": "offer", "sdp": ""},
        {"type": "offer", "sdp": "no description"},
        {"type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"},
        {"type": "offer", "sdp": "v=0\r\nm=application nonsense\r\n"},
        {"type": "offer", "sdp": "x" * 70_000},
        {"type": "offer", "sdp": "x" * 200_000},
        {"type": "offer", "sdp": "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 130},
    ],
)
async def test_bad_offers_are_refused(client: Client, body: dict[str, Any]) -> None:
    async with client.post(OFFER, json=body) as response:
        answer = await response.json()
    assert response.status == 400
    assert answer["error"] in ("invalid_request", "invalid_offer")
    assert answer["details"]["suggestions"]
    server = client.server
    assert server is not None
    await until(lambda: not server.app[PEERS])


async def test_mutilated_offers_are_refused_or_answered(client: Client, caller: Caller) -> None:
    await caller.connection.setLocalDescription(await caller.connection.createOffer())
    sdp = caller.connection.localDescription.sdp
    rng = np.random.default_rng(1)
    for _ in range(120):
        lines = sdp.split("\r\n")
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(lines)))
            what = rng.integers(3)
            if what == 0:
                del lines[at]
            elif what == 1:
                cut = int(rng.integers(0, len(lines[at]) + 1))
                lines[at] = lines[at][:cut]
            else:
                lines[at] = lines[at] + chr(int(rng.integers(32, 0x2FF)))
        async with client.post(OFFER, json={"type": "offer", "sdp": "\r\n".join(lines)}) as response:
            assert response.status in (200, 400, 503), await response.text()


async def test_a_singer_is_not_silent_for_want_of_words(
    client: Client, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await caller.call()
    await caller.start(converter="passthrough")
    monkeypatch.setattr(live_offer, "IDLE_TIMEOUT_S", 0.5)
    caller.send("stats", t=1)
    for seq in range(120):
        caller.sing(seq, np.full(480, 1000))
        await asyncio.sleep(0.01)
    assert not any(m["type"] == "error" for m in caller.heard)
    error = await caller.message("error")  # and now it is silent
    assert (error["code"], error["fatal"]) == ("timeout", True)


async def test_no_answer_is_an_error_of_ours(
    client: Client, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_such_device(*_: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(RTCPeerConnection, "setRemoteDescription", no_such_device)
    await caller.connection.setLocalDescription(await caller.connection.createOffer())
    body = {"type": "offer", "sdp": caller.connection.localDescription.sdp}
    async with client.post(OFFER, json=body) as response:
        assert (response.status, (await response.json())["error"]) == (503, "service_unavailable")
    server = client.server
    assert server is not None
    await until(lambda: not server.app[PEERS])


async def test_a_flood_of_offers_is_bounded(client: Client, caller: Caller) -> None:
    await caller.connection.setLocalDescription(await caller.connection.createOffer())
    body = {"type": "offer", "sdp": caller.connection.localDescription.sdp}

    async def post() -> int:
        async with client.post(OFFER, json=body) as response:
            return response.status

    statuses = await asyncio.gather(*(post() for _ in range(100)))
    assert set(statuses) == {200, 503}
    assert statuses.count(200) <= 3 + 8


async def test_the_configured_ice_servers_are_told(serve: Any) -> None:
    client = await serve()
    async with client.get("/api/v1/live/ice-servers") as response:
        assert await response.json() == {"ice_servers": []}
