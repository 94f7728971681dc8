"""Takes on their way to the server: pieces in order, again, with gaps, of strangers, and too many of them."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from auto_voice.storage.users import Role
from auto_voice.web import takes as web_takes
from auto_voice.web.auth import USERS
from auto_voice.web.current import CURRENT
from auto_voice.web.health import SUPERVISOR
from auto_voice.web.takes import MOST_CHUNK
from auto_voice.web.takes import TAKES as STORE
from tests.auto_voice.web.conftest import Client, Serve
from tests.auto_voice.web.takes import FRAMES, RATE, SECONDS, TAKES, ask, begin, send, sung, whole, write_stage

NO_WORKERS = {"LIMITS__CONCURRENT_CONVERSIONS": "0"}


@pytest.fixture
def song_id(tmp_path: Path) -> str:
    return write_stage(tmp_path)


@pytest.fixture
async def server(serve: Serve, song_id: str) -> Client:
    return await serve(**NO_WORKERS, LIMITS__TAKES_PER_USER="3")


async def test_pieces_may_come_again_but_not_with_gaps(server: Client, song_id: str) -> None:
    take_id, data = await begin(server, song_id, title="not its own"), sung(1000)
    assert await send(server, take_id, "dry", data[:800]) == (
        200,
        {"take_id": take_id, "track": "dry", "received": 400},
    )
    status, refused = await send(server, take_id, "dry", data[1000:], 500)
    assert (status, refused["error"], refused["details"]["received"]) == (409, "chunk_gap", 400)
    assert (await send(server, take_id, "dry", data[:800]))[1]["received"] == 400  # its answer was lost
    assert (await send(server, take_id, "dry", data[400:1200], 200))[1][
        "received"
    ] == 600  # half of it is there
    other = bytes([data[0] ^ 1]) + data[1:]
    status, refused = await send(server, take_id, "dry", other)
    assert (status, refused["error"], refused["details"]["received"]) == (409, "chunk_conflict", 600)
    status, refused = await send(server, take_id, "dry", data[1200:1999], 600)
    assert (status, refused["error"]) == (400, "invalid_parameter")
    assert (await send(server, take_id, "dry", data[1200:], 600))[1]["received"] == 1000
    status, refused = await send(server, take_id, "mix", data[:6])
    assert (status, refused["error"]) == (400, "invalid_parameter")  # a sample of the mix has four bytes
    _, take = await ask(server, "GET", f"{TAKES}/{take_id}")
    assert take["received"] == {"dry": 1000, "voice": 0, "mix": 0}
    assert (take["status"], take["title"], take["semitones"]) == ("open", "A tune", 0)
    folder = server.app[CURRENT].settings.storage.results_dir / take_id
    assert (folder / "dry.pcm").read_bytes() == data


async def test_a_take_is_finished_once_all_of_it_has_come(server: Client, song_id: str) -> None:
    take_id, data = await begin(server, song_id), sung()
    finish = f"{TAKES}/{take_id}/finish"
    await send(server, take_id, "dry", data)
    await send(server, take_id, "voice", data[:2000])
    status, refused = await ask(server, "POST", finish, json={"frames": FRAMES})
    assert (status, refused["error"]) == (409, "take_incomplete")
    assert refused["details"]["received"] == {"dry": FRAMES, "voice": 1000, "mix": 0}
    for given, code in (
        ({}, "missing_required_field"),
        ({"frames": "9"}, "invalid_parameter"),
        ([], "invalid_request"),
    ):
        status, refused = await ask(server, "POST", finish, json=given)
        assert (status, refused["error"]) == (400, code)
    status, refused = await ask(server, "POST", finish, json={"frames": 1000})
    assert (status, refused["error"]) == (400, "audio_too_short")
    await send(server, take_id, "voice", data[2000:], 1000)
    status, take = await ask(server, "POST", finish, json={"frames": FRAMES})
    assert (status, take["status"], take["frames"]) == (200, "finished", FRAMES)
    assert take["seconds"] == FRAMES / RATE
    assert (await ask(server, "POST", finish, json={"frames": FRAMES}))[1] == take  # its answer was lost
    for path, more in (
        (f"{TAKES}/{take_id}/audio/dry", {"data": data[:2]}),
        (finish, {"json": {"frames": RATE}}),
    ):
        status, refused = await ask(server, "PUT" if "data" in more else "POST", path, **more)
        assert (status, refused["error"]) == (409, "take_finished")


async def test_a_take_that_is_finished_twice_at_once_is_finished_once(
    server: Client, song_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_id, data = await begin(server, song_id), sung()
    for track in ("dry", "voice"):
        await send(server, take_id, track, data)
    fits, body = [], {"json": {"frames": FRAMES}}
    within_limits = web_takes.uploads.within_limits

    async def counted(*args: Any) -> Any:
        fits.append(args[-1])
        return await within_limits(*args)

    monkeypatch.setattr(web_takes.uploads, "within_limits", counted)
    finish = f"{TAKES}/{take_id}/finish"
    answers = await asyncio.gather(*(ask(server, "POST", finish, **body) for _ in range(3)))
    assert [(status, take["frames"]) for status, take in answers] == [(200, FRAMES)] * 3
    assert fits == [FRAMES]


async def test_a_piece_that_comes_in_while_a_take_is_finished_is_refused(server: Client, song_id: str) -> None:
    take_id, data = await begin(server, song_id), sung()
    for track in ("dry", "voice"):
        await send(server, take_id, track, data)
    finished = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"\0"
        await finished.wait()
        yield b"\0"

    path = f"{TAKES}/{take_id}/audio/dry"
    sending = asyncio.create_task(ask(server, "PUT", path, params={"position": str(FRAMES)}, data=slow()))
    await asyncio.sleep(0.2)  # it has passed the first look
    assert (await ask(server, "POST", f"{TAKES}/{take_id}/finish", json={"frames": FRAMES}))[0] == 200
    finished.set()
    status, refused = await sending
    assert (status, refused["error"]) == (409, "take_finished")
    folder = server.app[CURRENT].settings.storage.results_dir / take_id
    assert (folder / "dry.pcm").stat().st_size == 2 * FRAMES


async def test_what_is_longer_than_the_song_is_cut_or_refused(server: Client, song_id: str) -> None:
    longest = round((SECONDS + 1) * RATE)
    take_id, data = await begin(server, song_id), sung(longest)
    status, refused = await send(server, take_id, "dry", data + b"\0\0")
    assert (status, refused["error"]) == (400, "invalid_audio_duration")
    for track in ("dry", "voice"):
        await send(server, take_id, track, data)
    status, take = await ask(server, "POST", f"{TAKES}/{take_id}/finish", json={"frames": longest})
    assert take["frames"] == round(SECONDS * RATE)
    folder = server.app[CURRENT].settings.storage.results_dir / take_id
    assert (folder / "dry.pcm").stat().st_size == 2 * take["frames"]
    slow = await begin(server, song_id, tempo=50, semitones=-3)
    assert (await ask(server, "GET", f"{TAKES}/{slow}"))[1]["most_frames"] == round((2 * SECONDS + 1) * RATE)


async def test_what_cannot_be_had_is_said(server: Client, song_id: str) -> None:
    take_id = await begin(server, song_id)
    for given, status, code in (
        ({}, 400, "missing_required_field"),
        ({"song_id": "stage-99999999"}, 404, "conversion_not_found"),
        ({"song_id": song_id, "tempo": 151}, 400, "invalid_parameter"),
        ({"song_id": song_id, "semitones": 0.5}, 400, "invalid_parameter"),
        ({"song_id": song_id, "voice": 3}, 400, "invalid_parameter"),
        ({"song_id": song_id, "voice_volume": 1.1}, 400, "invalid_parameter"),
        ({"song_id": song_id, "effects": {"room": ["hall"]}}, 400, "invalid_parameter"),
        ({"song_id": song_id, "voice_name": "a\nb"}, 400, "invalid_parameter"),
    ):
        assert await asked_for(server, given) == (status, code)
    for method, path, status, code in (
        ("GET", f"{TAKES}/take-x", 404, "take_not_found"),
        ("PUT", f"{TAKES}/{take_id}/audio/drums", 404, "file_not_found"),
        ("PUT", f"{TAKES}/{take_id}/audio/dry?position=-1", 400, "invalid_parameter"),
        ("PUT", f"{TAKES}/{take_id}/audio/dry?rendition=best", 400, "invalid_parameter"),
        ("PUT", f"{TAKES}/{take_id}/audio/mix?rendition=quality", 404, "file_not_found"),
        ("GET", f"{TAKES}/{take_id}/audio/dry", 409, "take_incomplete"),
        ("POST", f"{TAKES}/{take_id}/render", 409, "take_incomplete"),
        ("GET", TAKES, 400, "missing_parameter"),
    ):
        found, refused = await ask(server, method, path)
        assert (found, refused["error"]) == (status, code)
    status, refused = await send(server, take_id, "dry", bytes(MOST_CHUNK + 2))
    assert (status, refused["error"]) == (413, "file_too_large")


async def asked_for(client: Client, given: object) -> tuple[int, str]:
    status, refused = await ask(client, "POST", TAKES, json=given)
    return status, str(refused["error"])


async def test_each_user_keeps_some_takes_and_reaches_no_others(server: Client, song_id: str) -> None:
    mine = [await begin(server, song_id) for _ in range(3)]
    given = {"song_id": song_id}
    status, refused = await ask(server, "POST", TAKES, params={"user_id": "ann"}, json=given)
    assert (status, refused["error"]) == (409, "too_many_takes")
    await begin(server, song_id, user="bob")
    _, listed = await ask(server, "GET", TAKES, params={"user_id": "ann", "limit": "2"})
    assert [take["take_id"] for take in listed["takes"]] == mine[:0:-1]
    assert listed["pagination"]["total"] == 3
    path = f"{TAKES}/{mine[0]}"
    for method in ("GET", "DELETE"):
        status, refused = await ask(server, method, path, params={"user_id": "bob"})
        assert (status, refused["error"]) == (403, "unauthorized")
    assert (await ask(server, "DELETE", path, params={"user_id": "ann"}))[0] == 200
    assert (await ask(server, "GET", path))[1]["error"] == "take_not_found"
    assert not (server.app[CURRENT].settings.storage.results_dir / mine[0]).exists()
    await begin(server, song_id)


async def test_with_keys_a_take_of_others_is_not_there(serve: Serve, song_id: str) -> None:
    client = await serve(**NO_WORKERS, SECURITY__API_KEY_REQUIRED="true")
    keys = {}
    for name in ("ann", "bob"):
        client.app[USERS].create_user(name, Role.USER)
        keys[name] = {"X-API-Key": client.app[USERS].create_key(name)[0]}
    given = {"song_id": song_id}
    assert (await ask(client, "POST", TAKES, json=given))[0] == 401
    _, refused = await ask(client, "POST", TAKES, json=given, headers=keys["ann"])
    assert refused["error"] == "conversion_not_found"  # the stage is nobody's, so not hers
    take_id = await asyncio.to_thread(_of, client, song_id, "ann")
    assert (await ask(client, "GET", f"{TAKES}/{take_id}", headers=keys["ann"]))[0] == 200
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/finish"),
        ("POST", "/render"),
        ("PUT", "/audio/dry"),
    ):
        status, refused = await ask(client, method, f"{TAKES}/{take_id}{path}", headers=keys["bob"])
        assert (status, refused["error"]) == (404, "take_not_found")


def _of(client: Client, song_id: str, user: str) -> str:
    about = {"title": "x", "semitones": 0, "tempo": 100, "voice": "otto"}
    made = client.app[STORE].make(
        song_id, about, user_id=user, most_frames=9, most_takes=9, most_minutes=9, keep_s=60.0
    )
    return str(made.id)


async def test_a_full_disk_takes_nothing_of_what_has_come(
    server: Client, song_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_id, data = await begin(server, song_id), sung(1000)
    await send(server, take_id, "dry", data[:1000])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        status, refused = await send(server, take_id, "dry", data[1000:], 500)
        assert (status, refused["error"]) == (507, "insufficient_storage")
    with monkeypatch.context() as patched:
        usage = shutil.disk_usage("/")
        patched.setattr(web_takes.shutil, "disk_usage", lambda path: usage._replace(free=0))
        assert (await send(server, take_id, "dry", data[1000:], 500))[0] == 507
    assert (await ask(server, "GET", f"{TAKES}/{take_id}"))[1]["received"]["dry"] == 500
    assert (await send(server, take_id, "dry", data[1000:], 500))[1]["received"] == 1000


async def test_pieces_are_counted_by_themselves(serve: Serve, song_id: str) -> None:
    client = await serve(
        **NO_WORKERS,
        SECURITY__RATE_LIMITING_ENABLED="true",
        SECURITY__TAKE_PIECES_PER_HOUR="3",
        SECURITY__CONVERSIONS_PER_HOUR="1",
        LIMITS__REQUESTS_PER_HOUR="2",
    )
    take_id = await begin(client, song_id)
    found = [(await send(client, take_id, "dry", b"\0\0", i))[0] for i in range(4)]
    assert found == [200, 200, 200, 429]
    again = [(await ask(client, "POST", f"{TAKES}/{take_id}/render"))[0] for _ in range(2)]
    assert again == [409, 429]
    assert (await ask(client, "POST", f"{TAKES}/{take_id}/finish", json={"frames": 1}))[0] == 400


async def test_takes_go_when_their_time_is_over(serve: Serve, song_id: str) -> None:
    client = await serve(**NO_WORKERS, CACHE__TAKE_TTL_HOURS="0.001")
    take_id = await begin(client, song_id)
    folder = client.app[CURRENT].settings.storage.results_dir / take_id
    await asyncio.to_thread(client.app[SUPERVISOR].clean)
    assert folder.exists()
    await asyncio.sleep(4)
    assert (await ask(client, "GET", f"{TAKES}/{take_id}"))[1]["error"] == "take_not_found"
    await asyncio.to_thread(client.app[SUPERVISOR].clean)
    assert not folder.exists()


async def test_a_take_whose_files_are_gone_says_so(server: Client, song_id: str) -> None:
    take_id, other = await whole(server, song_id, sung(), sung()), await begin(server, song_id)
    results = server.app[CURRENT].settings.storage.results_dir
    for name in (take_id, other):
        shutil.rmtree(results / name)
    for track in ("dry", "voice", "accompaniment", "mix"):
        status, refused = await ask(server, "GET", f"{TAKES}/{take_id}/audio/{track}")
        assert (status, refused["error"]) == (410, "file_expired")
    for name in (take_id, other):
        assert (await ask(server, "GET", f"{TAKES}/{name}"))[1]["status"] == "lost"
    status, refused = await send(server, other, "dry", b"\0\0")
    assert (status, refused["error"]) == (410, "file_expired")
    status, refused = await ask(server, "POST", TAKES, json={"song_id": song_id})
    assert status == 201
    shutil.rmtree(results / song_id)
    assert await asked_for(server, {"song_id": song_id}) == (410, "file_expired")
