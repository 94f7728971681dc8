"""Rooms through the whole service: REST, sockets, live sessions, keys, and listeners that are slow."""

from __future__ import annotations

import asyncio
import io as std_io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import av
import msgpack
import numpy as np
import pytest

from auto_voice.storage.users import Role
from auto_voice.web.auth import USERS
from auto_voice.web.current import CURRENT
from auto_voice.web.guests import COOKIE
from auto_voice.web.guests import ROOMS as ALL_ROOMS
from auto_voice.web.reception import JOBS
from auto_voice.web.websocket_handler import ENGINE
from tests.auto_voice.web.conftest import Client, Serve
from tests.auto_voice.web.test_live import SONG, sing_to
from tests.live import until
from tests.placed import place_stage
from tests.serving import hear, start_live

ROOMS, SONGS = "/api/v1/karaoke/rooms", "/api/v1/karaoke/songs"
IDLE = {"LIMITS__CONCURRENT_CONVERSIONS": "0", "LIVE__CAPACITY": "3", "LIVE__MAX_STEP_FRACTION": "1"}
Socket = aiohttp.ClientWebSocketResponse


def stage(client: Client, user_id: str | None = None, seconds: float = 2.0) -> str:
    return place_stage(client.app[JOBS], client.app[CURRENT].settings.storage.results_dir, user_id, seconds)


async def ask(client: Client, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
    async with client.request(method, path, **more) as answer:
        return answer.status, await answer.json()


async def open_room(client: Client, song_id: str, **more: Any) -> dict[str, Any]:
    status, room = await ask(client, "POST", ROOMS, json={"song_id": song_id}, **more)
    assert status == 201, room
    return room


@asynccontextmanager
async def inside(client: Client, code: str, **join: Any) -> AsyncIterator[tuple[Socket, dict[str, Any]]]:
    """A line to a room, once it has let somebody in."""
    async with client.ws_connect(f"/ws/room/{code}", compress=0) as socket:
        await say(socket, "join", version=1, **{"role": "singer", "name": "Ann", **join})
        yield socket, await hear(socket, "joined")


async def say(socket: Socket, kind: str, **fields: Any) -> None:
    await socket.send_bytes(msgpack.packb({"type": kind, **fields}))


async def state(socket: Socket, wanted: str, value: Any) -> dict[str, Any]:
    """The first state of the room in which something is as it should be."""
    while (room := await hear(socket, "room"))[wanted] != value:
        pass
    return room


async def test_a_room_shows_its_song_and_nothing_else(serve: Serve) -> None:
    client = await serve(**IDLE)
    song_id = stage(client, "ann", 3.0)
    wanted = {"song_id": song_id, "semitones": -2, "tempo": 75}
    status, room = await ask(client, "POST", f"{ROOMS}?user_id=ann", json=wanted)
    assert (status, room["seconds"], room["members"]) == (201, 4.0, [])
    code = room["code"]
    _, shown = await ask(client, "GET", f"{ROOMS}/{code.lower()}")
    assert "token" not in shown
    assert "user_id" not in shown["song"]
    assert [part["notes"][0]["start_s"] for part in shown["song"]["parts"]] == [0.5, 1.0]
    async with client.get(shown["song"]["guide_url"]) as answer:
        content = await answer.read()
    with av.open(std_io.BytesIO(content)) as file:
        samples = sum(frame.samples for frame in file.decode(audio=0))
    assert samples / 44_100 == pytest.approx(4.0, abs=0.001)
    status, refused = await ask(client, "GET", f"{ROOMS}/{code}/audio/drums")
    assert (status, refused["error"]) == (404, "file_not_found")


async def test_what_cannot_be_opened_is_said(serve: Serve) -> None:
    client = await serve(**IDLE, LIVE__ROOMS="1")
    song_id = stage(client, "ann")
    for given, query, code in (
        ({}, "", "missing_required_field"),
        ({"song_id": "stage-x"}, "", "conversion_not_found"),
        ({"song_id": song_id}, "?user_id=bob", "unauthorized"),
        ({"song_id": song_id, "tempo": 151}, "", "invalid_parameter"),
        ({"song_id": song_id, "semitones": 0.5}, "", "invalid_parameter"),
    ):
        assert (await ask(client, "POST", ROOMS + query, json=given))[1]["error"] == code
    room = await open_room(client, song_id)
    async with inside(client, room["code"], role="listener"):
        status, refused = await ask(client, "POST", ROOMS, json={"song_id": song_id})
        assert (status, refused["error"]) == (503, "too_many_rooms")
    for path in ("", "/audio/guide", "/singer"):
        status, refused = await ask(client, "POST" if path == "/singer" else "GET", f"{ROOMS}/2222-2222{path}")
        assert (status, refused["error"]) == (404, "room_not_found")
    with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
        await client.ws_connect("/ws/room/22222222")
    for token in ("", "ünbekannt", room["token"]):
        status, refused = await ask(client, "POST", f"{ROOMS}/{room['code']}/singer", json={"token": token})
        assert (status, refused["error"]) == (403, "unauthorized")


async def test_two_sing_and_hear_each_other_and_a_listener_hears_both(serve: Serve) -> None:
    client = await serve(**IDLE)
    room = await open_room(client, stage(client))
    code = room["code"]
    async with (
        inside(client, code, token=room["token"]) as (ann, joined),
        inside(client, code, name="Bo") as (bo, _),
        inside(client, code, name="Cy", role="listener") as (cy, _),
        client.ws_connect("/ws/live", compress=0) as ann_live,
        client.ws_connect("/ws/live", compress=0) as bo_live,
    ):
        for line, live in ((ann, ann_live), (bo, bo_live)):
            started = await start_live(live)
            await say(line, "sing", session=started["token"])
            await say(line, "ready", ready=True)
        await say(bo, "ping", t=1)
        await hear(bo, "pong")  # so the room knows that Bo is ready
        await say(ann, "start")
        run = await state(cy, "run", 1)
        assert [(m["name"], m["voice"]) for m in run["members"][:2]] == [("Ann", "aria"), ("Bo", "aria")]
        await say(ann, "anchor", run=1, position=0)
        await say(bo, "anchor", run=1, position=-9_600)  # who comes in later
        for line in (ann, bo):
            await say(line, "ping", t=1)
            await hear(line, "pong")
        await asyncio.gather(sing_to(ann_live, 30), sing_to(bo_live, 30))
        by_ann, by_bo = await hear(bo, "audio"), await hear(ann, "audio")
        assert (by_ann["singer"], by_bo["singer"]) == (0, 1)
        assert by_ann["position"] + 480 > 0
        assert by_bo["position"] >= 9_600 - 480
        heard: dict[int, list[dict[str, Any]]] = {0: [], 1: []}
        while min(len(messages) for messages in heard.values()) < 2:
            message = await hear(cy, "audio")
            heard[message["singer"]].append(message)
        for singer, shift in ((0, 0), (1, 9_600)):
            for message in heard[singer]:
                pcm = np.frombuffer(message["pcm"], "<i2")
                begin = message["position"] - shift
                skip = max(0, -begin)  # what came before the first captured sample
                assert np.allclose(pcm[skip:], SONG[begin + skip : begin + len(pcm)], atol=1)
        await say(cy, "leave")
        assert await hear_end(cy)
        del joined


async def hear_end(socket: Socket) -> bool:
    async with asyncio.timeout(10):
        async for _ in socket:
            pass
    return socket.closed


async def test_a_listener_that_reads_nothing_disturbs_nobody(serve: Serve) -> None:
    client = await serve(**IDLE)
    room = await open_room(client, stage(client))
    code = room["code"]
    async with (
        inside(client, code, token=room["token"]) as (ann, _),
        inside(client, code, name="Slow", role="listener") as (slow, _),
        inside(client, code, name="Cy", role="listener") as (cy, _),
        client.ws_connect("/ws/live", compress=0) as live,
    ):
        transport = slow._response.connection.transport  # type: ignore[union-attr]
        transport.pause_reading()
        await say(ann, "sing", session=(await start_live(live))["token"])
        await say(ann, "ready", ready=True)
        await say(ann, "start")
        await say(ann, "anchor", run=1, position=0)
        rooms = client.app[ALL_ROOMS]
        found = rooms.get(code)
        (singer,) = found.singers
        await until(lambda: singer.anchor == 0)
        relay = found._sound._relays[singer]
        message = np.zeros(3_840, "<i2").tobytes()
        for index in range(2_000):  # faster than anybody sings
            relay._to_listeners(
                msgpack.packb({"type": "audio", "singer": 0, "position": index, "pcm": message})
            )
            if index % 10 == 0:
                await asyncio.sleep(0.002)
        dropped = {member.name: member.line.dropped for member in found.members if member.line is not None}
        assert dropped["Slow"] > 100
        for _ in range(100):
            await hear(cy, "audio")
        await say(cy, "ping", t=0)
        assert (await hear(cy, "pong"))["dropped"] == dropped["Cy"]
        transport.resume_reading()
        await say(slow, "ping", t=0)
        assert (await hear(slow, "pong"))["dropped"] == dropped["Slow"]
        async with client.get("/metrics") as answer:
            metrics = await answer.text()
        assert "autovoice_rooms 1.0" in metrics
        assert 'autovoice_room_members{role="listener"} 2.0' in metrics


async def test_a_song_that_is_deleted_closes_its_room(serve: Serve) -> None:
    client = await serve(**IDLE)
    song_id = stage(client)
    room = await open_room(client, song_id)
    async with inside(client, room["code"], role="listener") as (cy, _):
        assert (await ask(client, "DELETE", f"{SONGS}/{song_id}"))[0] == 200
        assert (await hear(cy, "closed"))["code"] == "song_gone"
        assert await hear_end(cy)
    assert (await ask(client, "GET", f"{ROOMS}/{room['code']}"))[0] == 404


async def test_who_has_the_code_needs_no_key_to_sing(serve: Serve) -> None:
    client = await serve(**IDLE, SECURITY__API_KEY_REQUIRED="true")
    users = client.app[USERS]
    for name in ("ann", "bob"):
        users.create_user(name, Role.USER)
    ann, bob = ({"X-API-Key": users.create_key(name)[0]} for name in ("ann", "bob"))
    song_id = stage(client, "ann")
    assert (await ask(client, "POST", ROOMS, json={"song_id": song_id}))[0] == 401
    status, refused = await ask(client, "POST", ROOMS, json={"song_id": song_id}, headers=bob)
    assert (status, refused["error"]) == (404, "conversion_not_found")
    room = await open_room(client, song_id, headers=ann)
    code = room["code"]
    assert (await ask(client, "GET", f"{ROOMS}/{code}"))[0] == 200
    assert (await ask(client, "GET", f"{SONGS}/{song_id}"))[0] == 401
    async with (
        inside(client, code, token=room["token"]),
        inside(client, code, name="Bo") as (bo, joined),
        inside(client, code, name="Cy", role="listener") as (_, listener),
    ):
        door = f"{ROOMS}/{code}/singer"
        status, refused = await ask(client, "POST", door, json={"token": listener["token"]})
        assert (status, refused["error"]) == (403, "unauthorized")
        assert (await ask(client, "GET", "/api/v1/voice/profiles"))[0] == 401
        assert (await ask(client, "POST", door, json={"token": joined["token"]}))[1] == {"guest": True}
        assert [cookie.key for cookie in client.session.cookie_jar] == [COOKIE]
        _, listed = await ask(client, "GET", "/api/v1/voice/profiles")
        assert all(profile["builtin"] for profile in listed["profiles"])
        for method, path in (("GET", SONGS), ("POST", "/api/v1/voice/clone"), ("POST", "/api/v1/ticket")):
            assert (await ask(client, method, path))[0] == 401
        async with client.ws_connect("/ws/live", compress=0) as live:
            started = await start_live(live)
            await say(bo, "sing", session=started["token"])
            async with client.ws_connect("/ws/live", compress=0) as another:
                for message in (
                    {"type": "hello", "version": 1, "client": "test"},
                    {"type": "start", "voice": "aria", "converter": "passthrough"},
                ):
                    await another.send_bytes(msgpack.packb(message))
                assert (await hear(another, "error"))["code"] == "too_many_sessions"
        await say(bo, "leave")
        assert await hear_end(bo)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await client.ws_connect("/ws/live")


async def test_a_guest_who_leaves_sings_no_more(serve: Serve) -> None:
    client = await serve(**IDLE, SECURITY__API_KEY_REQUIRED="true")
    client.app[USERS].create_user("ann", Role.USER)
    ann = {"X-API-Key": client.app[USERS].create_key("ann")[0]}
    room = await open_room(client, stage(client, "ann"), headers=ann)
    code = room["code"]
    engine, left = client.app[ENGINE], {"code": "left_room", "fatal": True}
    for says_sing in (True, False):
        async with inside(client, code, name="Bo") as (bo, joined):
            assert (await ask(client, "POST", f"{ROOMS}/{code}/singer", json={"token": joined["token"]}))[
                0
            ] == 200
            async with (
                client.ws_connect("/ws/live", compress=0) as live,
                client.ws_connect("/ws/live", compress=0) as waiting,
            ):
                started = await start_live(live)
                if says_sing:
                    await say(bo, "sing", session=started["token"])
                await say(bo, "leave")
                error = await hear(live, "error")
                assert {name: error[name] for name in left} == left
                assert await hear_end(live)
                assert engine.sessions == []
                await say(waiting, "hello", version=1, client="test")
                await say(waiting, "start", voice="aria", converter="passthrough")
                assert (await hear(waiting, "error"))["code"] == "left_room"
    async with (
        inside(client, code, token=room["token"]) as (host, _),
        inside(client, code, name="Bo") as (_, joined),
    ):
        await ask(client, "POST", f"{ROOMS}/{code}/singer", json={"token": joined["token"]})
        async with (
            client.ws_connect("/ws/live", compress=0) as bos,
            client.ws_connect("/ws/live", compress=0, headers=ann) as anns,
        ):
            await start_live(bos)
            await start_live(anns)
            await say(host, "close")
            assert (await hear(bos, "error"))["code"] == "left_room"
            assert len(engine.sessions) == 1  # who has a key goes on


async def test_who_guesses_codes_is_listened_to_no_more(serve: Serve) -> None:
    client = await serve(
        **IDLE, SECURITY__RATE_LIMITING_ENABLED="true", SECURITY__WRONG_KEYS_PER_HOUR="3", SERVER__PROXIES="1"
    )
    code = (await open_room(client, stage(client)))["code"]

    async def status(text: str, address: str = "198.51.100.1") -> int:
        headers = {"X-Forwarded-For": address}
        return (await ask(client, "GET", f"{ROOMS}/{text}", headers=headers))[0]

    assert await status(code) == 200
    assert [await status("2222222" + last) for last in "23456"] == [404, 404, 404, 429, 429]
    assert await status(code) == 429
    assert await status(code, "198.51.100.2") == 200


async def test_rubbish_and_silence_end_a_visit_in_words(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await serve(**IDLE)
    code = (await open_room(client, stage(client)))["code"]
    async with inside(client, code, role="listener") as (cy, _):
        await cy.send_str("hello")
        assert (await hear(cy, "error"))["code"] == "malformed_message"
        await cy.send_bytes(b"\xc1")
        assert (await hear(cy, "error"))["code"] == "malformed_message"
        monkeypatch.setattr("auto_voice.web.rooms.IDLE_TIMEOUT_S", 0.1)
        await say(cy, "ping", t=0)
        error = await hear(cy, "error")
        assert (error["code"], error["fatal"]) == ("timeout", True)
        assert await hear_end(cy)
    _, shown = await ask(client, "GET", f"{ROOMS}/{code}")
    assert [member["present"] for member in shown["members"]] == [False]  # and may come back
