"""Live sessions over a real socket: what goes wrong is told, and nobody else hears of it."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import msgpack
import numpy as np
import pytest

from auto_voice.web import websocket_handler
from auto_voice.web.websocket_handler import CONVERSATIONS, ENGINE
from pipeline.synthetic import sing, vibrato
from realtime.protocol import MAX_MESSAGE
from tests.auto_voice.web.conftest import Client, Serve
from tests.live import until
from tests.serving import hear

Socket = aiohttp.ClientWebSocketResponse
SONG = (np.clip(sing(vibrato(220, 3.0, 48_000), 48_000, np.random.default_rng(1)), -1, 1) * 32767).astype("<i2")


async def say(socket: Socket, **message: Any) -> None:
    await socket.send_bytes(msgpack.packb(message))


async def ended(socket: Socket) -> bool:
    """Whether the server closes the socket."""
    async with asyncio.timeout(10):
        async for _ in socket:
            pass
    return socket.closed


async def connect(client: Client, **start: Any) -> Socket:
    socket = await client.ws_connect("/ws/live", compress=0, autoclose=True)
    await say(socket, type="hello", version=1, client="test")
    await hear(socket, "hello")
    if start:
        await say(socket, type="start", **start)
    return socket


async def sing_to(socket: Socket, frames: int, *, first: int = 0, gap: int = 0) -> list[dict[str, Any]]:
    """Send frames, each when the one before has come back; `gap` blocks of silence come back with the first."""
    heard: list[dict[str, Any]] = []
    for index in range(frames):
        at = (index * 480) % (len(SONG) - 480)
        pcm, place = SONG[at : at + 480].tobytes(), first + index
        await say(socket, type="audio", seq=place, position=place * 480, pcm=pcm)
        heard += [await hear(socket, "audio") for _ in range(1 if index else 1 + gap)]
        await asyncio.sleep(0.008)  # no faster than real time
    return heard


async def test_a_song_goes_in_and_another_voice_comes_out(client: Client) -> None:
    socket = await connect(client, voice="otto", controls={"pitch_semitones": -12, "auto_pitch": False})
    started = await hear(socket, "start")
    heard = await sing_to(socket, 100)
    assert [block["position"] for block in heard] == [n * 480 - started["delay"] for n in range(100)]
    assert all(block["held_us"] > 0 for block in heard)
    sound = np.frombuffer(b"".join(block["pcm"] for block in heard[30:]), "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    hz = np.fft.rfftfreq(len(sound), 1 / 48_000)
    near = spectrum[(hz > 95) & (hz < 125)].max()
    assert near > 20 * spectrum[(hz > 10) & (hz < 60)].max()  # 110 Hz: an octave below what was sung
    await say(socket, type="stop", reason="done")
    assert (await hear(socket, "stop"))["reason"]
    assert await ended(socket)


async def test_bad_messages_are_answered_and_another_singer_notices_nothing(client: Client) -> None:
    singer = await connect(client, voice="aria")
    await hear(singer, "start")
    song = asyncio.create_task(sing_to(singer, 200))

    vandal = await connect(client, voice="aria")
    await hear(vandal, "start")
    for data, code in (
        (b"\xc1", "malformed_message"),
        (b"", "malformed_message"),
        (msgpack.packb([1, 2]), "malformed_message"),
        (msgpack.packb({"type": "sing"}), "malformed_message"),
        (msgpack.packb({"type": "hello", "version": 1}), "unexpected_message"),
        (msgpack.packb({"type": "audio", "seq": 0, "position": 0, "pcm": b""}), "frame_empty"),
        (msgpack.packb({"type": "audio", "seq": 0, "position": 0, "pcm": b"abc"}), "frame_odd_length"),
        (msgpack.packb({"type": "audio", "seq": 0, "position": 0, "pcm": bytes(9602)}), "frame_too_large"),
        (msgpack.packb({"type": "controls", "voice": "nobody"}), "voice_not_found"),
        (msgpack.packb({"type": "controls", "dry_wet": -1}), "invalid_parameter"),
        (bytes(MAX_MESSAGE + 1), "malformed_message"),
    ):
        await vandal.send_bytes(data)
        assert (await hear(vandal, "error"))["code"] == code
    await vandal.send_str("hello")
    assert (await hear(vandal, "error"))["code"] == "malformed_message"
    flood = msgpack.packb({"type": "audio", "seq": 0, "position": 0, "pcm": bytes(960)})
    with contextlib.suppress(ConnectionError):
        for _ in range(3000):
            await vandal.send_bytes(flood)
    last = await hear(vandal, "error")
    while not last["fatal"]:
        last = await hear(vandal, "error")
    assert last["code"] == "too_fast"
    assert await ended(vandal)

    heard = await song
    await say(singer, type="stats", t=1)
    stats = await hear(singer, "stats")
    while stats.get("t") != 1:
        stats = await hear(singer, "stats")
    assert [b["position"] for b in heard] == list(range(-1440, 480 * 200 - 1440, 480))
    assert stats["dropped"] == {}
    assert stats["gaps"] == 0


async def test_a_message_beyond_all_measure_closes_the_socket(client: Client) -> None:
    socket = await connect(client)
    await socket.send_bytes(bytes(3 * MAX_MESSAGE))
    assert await ended(socket)
    assert socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_another_version_is_told_and_closed(client: Client) -> None:
    socket = await client.ws_connect("/ws/live")
    await say(socket, type="hello", version=99, client="")
    error = await hear(socket, "error")
    assert (error["code"], error["fatal"]) == ("unsupported_version", True)
    assert await ended(socket)


async def test_a_line_that_only_seems_to_be_there_does_not_stay(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_handler, "CLOSE_TIMEOUT_S", 0.2)
    first = await connect(client, voice="aria")
    started = await hear(first, "start")
    first._response.connection.transport.pause_reading()  # type: ignore[union-attr]  # not even its goodbye is heard
    second = await connect(client, voice="aria", resume=started["token"])
    assert (await hear(second, "start"))["resumed"] is True
    await until(lambda: len(client.app[CONVERSATIONS]) == 1)
    assert len(await sing_to(second, 10)) == 10


async def test_missing_frames_are_counted_as_gaps(client: Client) -> None:
    socket = await connect(client, voice="aria")
    await hear(socket, "start")
    await sing_to(socket, 10)
    heard = await sing_to(socket, 10, first=12, gap=2)
    assert [block["position"] for block in heard] == list(range(480 * 10 - 1440, 480 * 22 - 1440, 480))
    await say(socket, type="stats", t=1)
    stats = await hear(socket, "stats")
    while stats.get("t") != 1:
        stats = await hear(socket, "stats")
    assert stats["gaps"] == 2 * 480


def cut(socket: Socket) -> None:
    """A laptop lid closes: the connection is gone without a word."""
    socket._response.connection.transport.abort()  # type: ignore[union-attr]


async def test_a_full_server_is_told_and_a_place_becomes_free(serve: Serve) -> None:
    client = await serve(LIVE__CAPACITY="1")
    first = await connect(client, voice="aria")
    await hear(first, "start")
    second = await connect(client, voice="aria")
    error = await hear(second, "error")
    assert (error["code"], error["fatal"]) == ("server_full", True)
    assert error["suggestions"]
    cut(first)
    engine = client.app[ENGINE]
    await until(lambda: engine.snapshot().parked == 1)
    third = await connect(client, voice="aria")
    assert (await hear(third, "start"))["session"]
    assert (engine.snapshot().sessions, engine.snapshot().parked) == (1, 0)


async def test_a_lost_connection_goes_on_in_the_same_session(client: Client) -> None:
    engine = client.app[ENGINE]
    wanted = {"voice": "aria", "user_id": "ann", "controls": {"pitch_semitones": 4}}
    whole = await connect(client, **wanted)
    await hear(whole, "start")
    expected = await sing_to(whole, 60)
    await say(whole, type="stop", reason="done")
    await hear(whole, "stop")

    first = await connect(client, **wanted)
    started = await hear(first, "start")
    heard = await sing_to(first, 30)
    cut(first)
    await until(lambda: engine.snapshot().parked == 1)
    second = await connect(client, **wanted, resume=started["token"])
    assert await hear(second, "start") == {**started, "resumed": True}
    for index in range(30, 60):
        pcm = SONG[index * 480 : (index + 1) * 480].tobytes()
        await say(second, type="audio", seq=index, position=index * 480, pcm=pcm)
        heard.append(await hear(second, "audio"))
        await asyncio.sleep(0.008)
    for name in ("seq", "position", "pcm"):
        assert [block[name] for block in heard] == [block[name] for block in expected]
    await say(second, type="stop", reason="done")
    await hear(second, "stop")
    assert await ended(second)
    assert engine.snapshot().sessions == 0


async def test_another_line_takes_over_and_the_old_one_is_hung_up(client: Client) -> None:
    first = await connect(client, voice="aria")
    started = await hear(first, "start")
    await sing_to(first, 10)
    second = await connect(client, voice="aria", resume=started["token"])
    assert (await hear(second, "start"))["session"] == started["session"]
    async with asyncio.timeout(10):
        kinds = [msgpack.unpackb(message.data)["type"] async for message in first]
    assert "stop" not in kinds
    assert "error" not in kinds
    await until(lambda: len(client.app[CONVERSATIONS]) == 1)
    assert client.app[ENGINE].snapshot().sessions == 1
    heard = await sing_to(second, 10, first=10)
    assert [block["seq"] for block in heard] == list(range(10, 20))


async def test_a_silent_client_is_told_and_closed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_handler, "STEP_TIMEOUT_S", 0.1)
    monkeypatch.setattr(websocket_handler, "IDLE_TIMEOUT_S", 0.2)
    mute = await client.ws_connect("/ws/live")
    error = await hear(mute, "error")
    assert (error["code"], error["fatal"]) == ("timeout", True)
    assert "hello" in error["message"]
    idle = await connect(client, voice="aria")
    assert (await hear(idle, "error"))["code"] == "timeout"
    assert await ended(idle)
    stats = client.app[ENGINE].snapshot()
    assert (stats.sessions, stats.parked) == (1, 1)  # it may come back


async def test_talk_is_no_step_forward(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_handler, "STEP_TIMEOUT_S", 0.5)
    talker = await client.ws_connect("/ws/live")

    async def talk() -> None:
        with contextlib.suppress(ConnectionError):
            while not talker.closed:
                await say(talker, type="stats", t=1)  # not what is waited for
                await asyncio.sleep(0.05)

    talking = asyncio.create_task(talk())
    async with asyncio.timeout(10):
        async for message in talker:
            if msgpack.unpackb(message.data).get("code") == "timeout":
                break
    assert await ended(talker)
    talking.cancel()


async def test_a_restart_is_announced(client: Client) -> None:
    socket, lost = await connect(client, voice="aria"), await connect(client, voice="aria")
    for singer in (socket, lost):
        await hear(singer, "start")
    cut(lost)
    await until(lambda: client.app[ENGINE].snapshot().parked == 1)
    shutting_down = asyncio.create_task(websocket_handler.shut_down(client.app))
    assert (await hear(socket, "error"))["code"] == "shutting_down"
    assert await ended(socket)
    await shutting_down
    await until(lambda: not client.app[CONVERSATIONS])
    assert client.app[ENGINE].snapshot().sessions == 0


async def test_a_plain_request_is_no_session(client: Client) -> None:
    async with client.get("/ws/live") as response:
        assert response.status == 400
        assert (await response.json())["error"] == "invalid_request"


async def test_one_client_has_so_many_sessions_at_a_time(serve: Serve) -> None:
    client = await serve(LIVE__CAPACITY="4", LIVE__SESSIONS_PER_CLIENT="2", SERVER__PROXIES="1")
    first = await connect(client, voice="aria")
    await hear(first, "start")
    second = await connect(client, voice="aria")
    await hear(second, "start")
    third = await connect(client, voice="aria")
    assert (await hear(third, "error"))["code"] == "too_many_sessions"
    assert await ended(third)
    async with client.ws_connect("/ws/live", headers={"X-Forwarded-For": "198.51.100.9"}) as other:
        await say(other, type="hello", version=1, client="test")
        await say(other, type="start", voice="aria")
        await hear(other, "start")
    await say(first, type="stop", reason="done")
    assert await ended(first)
    again = await connect(client, voice="aria")
    await hear(again, "start")
