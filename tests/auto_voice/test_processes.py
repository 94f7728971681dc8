"""Several server processes on one port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import msgpack
import pytest
from prometheus_client.parser import text_string_to_metric_families

from auto_voice.device import cores
from auto_voice.jobs.store import JobStore
from auto_voice.processes import reserve
from auto_voice.settings import load_settings
from auto_voice.share import Share
from auto_voice.storage.users import Role, UserStore
from auto_voice.web.siblings import together
from realtime.rooms.codes import process_of
from tests.placed import place_stage
from tests.serving import Server, alive, children, hear, start_live, until


def servers_of(server: Server) -> list[int]:
    """The server processes of a parent; the resource tracker of multiprocessing is none."""
    return [pid for pid in children(server.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def answering(server: Server) -> dict[str, float]:
    """Which processes answer."""
    families = {family.name: family for family in text_string_to_metric_families(server.text("/metrics"))}
    return {sample.labels["process"]: sample.value for sample in families["autovoice_process_up"].samples}


def test_two_processes_share_a_port_and_a_dead_one_has_a_successor(tmp_path: Path) -> None:
    with Server(tmp_path, SERVER__WORKERS="2", LIMITS__CONCURRENT_CONVERSIONS="1") as server:
        first, second = servers_of(server)
        until(lambda: server.ask("/api/v1/queue/status")["workers"] == 1)
        for _ in range(40):  # new connections, which the kernel shares out
            assert server.ask("/api/v1/queue/status")["workers"] == 1
        lines = server.text("/metrics").splitlines()
        asked = [line for line in lines if line.startswith("autovoice_http_requests_total") and "queue" in line]
        assert sorted(line.split('process="')[1][0] for line in asked) == ["0", "1"]
        assert sum(float(line.split()[-1]) for line in asked) >= 41
        assert len([line for line in lines if line.startswith("autovoice_voice_profiles ")]) == 1
        assert len(children(first)) > len(children(second))  # the songs' worker is the first one's

        server.signal(signal.SIGHUP)
        until(lambda: server.told.count("configuration reloaded") == 2)

        os.kill(second, signal.SIGKILL)
        until(lambda: "ended with code" in server.told)  # what was on its way there is lost
        until(lambda: answering(server) == {"0": 1.0, "1": 0.0})
        for _ in range(10):
            assert server.ask("/health/live")["status"] == "alive"
        until(lambda: answering(server) == {"0": 1.0, "1": 1.0})
        assert "starts in 1 s" in server.told

        left = servers_of(server)
        server.signal()
        assert server.exit_code() == 0
    assert not any(alive(pid) for pid in left)


async def test_a_singer_comes_back_to_the_process_that_has_the_session(tmp_path: Path) -> None:
    with Server(tmp_path, SERVER__WORKERS="2") as server:
        jar = aiohttp.CookieJar(unsafe=True)  # of an address, not of a name
        url = f"http://{server.address}"
        async with aiohttp.ClientSession(url, cookie_jar=jar) as browser:
            started = await sing(browser)
            assert not started["resumed"]
            for _ in range(8):
                again = await sing(browser, resume=started["token"])
                assert again["resumed"]
                assert again["session"] == started["session"]
            for _ in range(6):
                async with browser.post("/api/v1/live/offer", data="no offer") as answer:
                    assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")
            killed = servers_of(server)[int(next(iter(jar)).value)]
            os.kill(killed, signal.SIGKILL)
            await asyncio.to_thread(until, lambda: "ended with code" in server.told)
            lost = await sing(browser, resume=started["token"])
            assert not lost["resumed"]  # by the other one ...
            await asyncio.to_thread(until, lambda: answering(server) == {"0": 1.0, "1": 1.0})
            for _ in range(4):  # ... which has it from now on
                assert (await sing(browser, resume=lost["token"]))["resumed"]


async def sing(session: aiohttp.ClientSession, *, resume: str | None = None) -> dict[str, Any]:
    """Start a session, or come back to one, and lose the line; returns what the server said."""
    async with session.ws_connect("/ws/live") as socket:
        return await start_live(socket, **({} if resume is None else {"resume": resume}))


def test_without_their_parent_they_end(tmp_path: Path) -> None:
    with Server(tmp_path, SERVER__WORKERS="2") as server:
        left = servers_of(server)
        server.signal(signal.SIGKILL)
        server.exit_code()
        until(lambda: not any(alive(pid) for pid in left))
    assert "the parent process is gone" in server.told


def test_one_that_cannot_start_ends_all_and_says_why(tmp_path: Path) -> None:
    server = Server(tmp_path, SERVER__WORKERS="2", SECURITY__RATE_LIMIT_STORAGE="nowhere://")
    assert server.start().exit_code() == 2
    assert server.told.count("error: ") == 1
    assert "security.rate_limit_storage" in server.told
    assert "Traceback" not in server.told


def test_a_port_that_another_server_holds_is_refused_even_if_it_shares() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            reserve("127.0.0.1", taken.getsockname()[1])


def test_a_reserved_port_can_be_listened_at_by_several_only_if_they_share() -> None:
    (held,) = reserve("127.0.0.1", 0)
    address = held.getsockname()
    with held, socket.socket() as one, socket.socket() as two, socket.socket() as other:
        for sharing in (one, two):
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sharing.bind(address)
            sharing.listen()
        with pytest.raises(OSError, match="in use"):
            other.bind(address)
        with socket.create_connection(address, timeout=5):
            pass


def test_cores_and_clones_are_divided_and_logs_told_apart(tmp_path: Path) -> None:
    settings = load_settings(
        environ={
            "AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path),
            "AUTOVOICE_LIMITS__CONCURRENT_CLONES": "3",
            "AUTOVOICE_LOGGING__FILE": str(tmp_path / "app.log"),
        }
    )
    parts = [Share(index, 2, tmp_path, [0, 0]).part_of(settings) for index in range(2)]
    assert [part.live.threads for part in parts] == [max(1, cores() // 2)] * 2
    assert [part.limits.concurrent_clones for part in parts] == [1, 1]
    assert [part.logging.file for part in parts] == [tmp_path / "app.log", tmp_path / "app.1.log"]
    assert parts[0].limits.concurrent_conversions == settings.limits.concurrent_conversions


def test_metrics_of_processes_are_told_apart_in_one_family() -> None:
    own = '# HELP a_total An a\n# TYPE a_total counter\na_total{b="c"} %d\n'
    text = together({0: own % 2, 1: own % 3, 2: None}).decode()
    assert text.count("# TYPE a_total counter") == 1
    assert 'a_total{b="c",process="0"} 2.0' in text
    assert 'a_total{b="c",process="1"} 3.0' in text
    assert 'autovoice_process_up{process="2"} 0.0' in text


async def test_members_of_a_room_are_led_to_the_process_that_has_it(tmp_path: Path) -> None:
    server = Server(tmp_path, SERVER__WORKERS="2", SECURITY__API_KEY_REQUIRED="true")
    users, store = UserStore(server.database), JobStore(server.database)
    users.create_user("ann", Role.USER)
    key = {"X-API-Key": users.create_key("ann")[0]}
    song_id = place_stage(store, server.data / "results", "ann")
    store.close()
    users.close()
    base = "/api/v1/karaoke/rooms"
    with server:
        async with (
            aiohttp.ClientSession(f"http://{server.address}") as host,
            host.post(base, json={"song_id": song_id}, headers=key) as answer,
        ):
            room = await answer.json()
            assert answer.status == 201, room
        path = f"{base}/{room['code']}"
        sizes = set()
        for _ in range(8):  # connections of their own, which the kernel shares out
            jar = aiohttp.CookieJar(unsafe=True)  # of an address, not of a name
            async with aiohttp.ClientSession(f"http://{server.address}", cookie_jar=jar) as guest:
                async with guest.get(f"{path}/audio/guide", headers={"Range": "bytes=0-99"}) as answer:
                    assert (answer.status, len(await answer.read())) == (206, 100)
                    sizes.add(answer.headers["Content-Range"])
                async with guest.ws_connect(f"/ws/room/{room['code']}") as line:
                    join = {"type": "join", "version": 1, "role": "singer", "name": "Bo"}
                    await line.send_bytes(msgpack.packb(join))
                    token = (await hear(line, "joined"))["token"]
                    async with guest.post(f"{path}/singer", json={"token": token}) as answer:
                        assert await answer.json() == {"guest": True}
                    async with guest.ws_connect("/ws/live") as live:
                        session = (await start_live(live))["token"]
                        await line.send_bytes(msgpack.packb({"type": "sing", "session": session}))
                        await line.send_bytes(msgpack.packb({"type": "ready", "ready": True}))
                        while not (await hear(line, "room"))["members"][-1]["ready"]:
                            pass
                        await live.send_bytes(msgpack.packb({"type": "stop", "reason": "done"}))
                        await hear(live, "stop")
                    await line.send_bytes(msgpack.packb({"type": "leave"}))
                    assert (await line.receive()).type is not aiohttp.WSMsgType.BINARY
        assert len(sizes) == 1
        index = process_of(room["code"].replace("-", ""))
        os.kill(servers_of(server)[index], signal.SIGKILL)
        await asyncio.to_thread(until, lambda: "ended with code" in server.told)
        async with aiohttp.ClientSession(f"http://{server.address}") as guest, guest.get(path) as answer:
            assert (answer.status, (await answer.json())["error"]) == (404, "room_not_found")
