"""What somebody sends who means no good: each is refused in words, and never with a 5xx."""

from __future__ import annotations

import asyncio
import gzip
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import msgpack
import pytest
from aiohttp.test_utils import TestClient

from auto_voice.jobs.song_request import SongRequest
from auto_voice.jobs.store import JobStore
from auto_voice.storage.users import Role
from auto_voice.web.auth import SIGNER, USERS
from auto_voice.web.reception import COMING, JOBS, MOST_COMING
from auto_voice.web.uploads import bare_name
from tests.auto_voice.web.conftest import Client, Serve
from tests.auto_voice.web.test_auth import profile_of, started
from tests.songs import write_song


async def raw(client: TestClient[Any, Any], request: bytes) -> bytes:
    """What a server answers to bytes that no client library would send."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(request)
    await writer.drain()
    try:
        async with asyncio.timeout(20):
            return await reader.read(1 << 20)
    finally:
        writer.close()


def status_of(answer: bytes) -> int:
    return int(answer.split()[1])


TARGETS = (
    "/client/../../etc/passwd",
    "/client/..%2f..%2f..%2f..%2fetc/passwd",
    "/client/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/client//etc/passwd",
    "/client/..%5c..%5cpyproject.toml",
    "/client/%00",
    "/api/v1/voice/profiles/..%2f..%2fsecret",
    "/api/v1/voice/profiles/%2e%2e",
    "/api/v1/voice/profiles/%00",
    "/api/v1/convert/status/..%2f..%2fsecret",
    "/api/v1/convert/download/..%2f..%2f/secret",
    "/api/v1/convert/download/JOB/..%2f..%2f..%2fsecret",
    "/api/v1/convert/download/JOB/%2e%2e%2f%2e%2e%2f%2e%2e%2fsecret",
    "/api/v1/convert/download/JOB/%2fetc%2fpasswd",
    "/api/v1/karaoke/songs/..%2f..%2fsecret",
    "/api/v1/karaoke/songs/JOB/audio/..%2f..%2fsecret",
    "http://elsewhere.example/api/v1/../secret",
    "/api/v1/convert/jobs?user_id=%0d%0aSet-Cookie:%20x=y",
    "/api/v1/convert/jobs?user_id=" + "a" * 7000,
    "/api/v1/convert/jobs?user_id=%ed%a0%80&page=9999999999999999999",
    "/api/v1/voice/profiles?sort_by=__class__",
    "//api/v1/voice/profiles",
    "/%61pi/v1/nothing",
)


async def test_no_path_leads_out(client: Client) -> None:
    job = _job(client.app[JOBS], None)
    host = f"Host: {client.host}:{client.port}\r\nConnection: close\r\n\r\n"
    for target in TARGETS:
        answer = await raw(client, f"GET {target.replace('JOB', job)} HTTP/1.1\r\n{host}".encode())
        assert 400 <= status_of(answer) < 500 or b'"total": 0' in answer, (target, answer[:300])
        assert b"root:" not in answer
        assert b"x=y" not in answer.partition(b"\r\n\r\n")[0]


def _job(jobs: JobStore, user: str | None, kind: str = "song") -> str:
    request = asdict(SongRequest("otto", "fast", 1.0, 0.9, 0.0, False, True, True, "wav"))
    parameters = {"request": request, "upload": "upload", "song_name": "a song", "notes": []}
    prefix = "conv" if kind == "song" else "stage"
    job = jobs.submit(kind, parameters, user_id=user, job_id=f"{prefix}-{uuid.uuid4()}")
    return job.id


async def test_nothing_of_somebody_else_is_reached_by_its_id(serve: Serve) -> None:
    client = await serve(
        SECURITY__API_KEY_REQUIRED="true", LIVE__CAPACITY="3", LIMITS__CONCURRENT_CONVERSIONS="0"
    )
    users, jobs = client.app[USERS], client.app[JOBS]
    keys = {}
    for name in ("ada", "bob"):
        users.create_user(name, Role.USER)
        keys[name] = {"X-API-Key": users.create_key(name)[0]}
    song, stage, voice = _job(jobs, "bob"), _job(jobs, "bob", "stage"), profile_of(client, "bob")
    base = f"/api/v1/karaoke/songs/{stage}"
    for method, path in (
        ("GET", base),
        ("DELETE", base),
        ("GET", f"{base}/audio/guide"),
        ("PUT", f"{base}/lyrics"),
        ("DELETE", f"{base}/lyrics"),
        ("GET", f"{base}/ultrastar"),
        ("GET", f"/api/v1/convert/download/{song}/original"),
    ):
        async with client.request(method, path, headers=keys["ada"]) as response:
            assert (response.status, (await response.json())["error"]) == (404, "conversion_not_found"), path
    for watched in (song, stage):
        async with client.ws_connect(f"/ws/conversion/{watched}", headers=keys["ada"]) as socket:
            assert (await socket.receive_json())["error"]["code"] == "conversion_not_found"
    body = {"text": "A text.", "voice": voice}
    async with client.post("/api/v1/synthesize", json=body, headers=keys["ada"]) as response:
        assert (response.status, (await response.json())["error"]) == (404, "profile_not_found")
    ticket = client.app[SIGNER].issue(users.list_keys("ada")[0].id, "ticket", 60)
    refused = await started(client, f"/ws/live?ticket={ticket}", voice)
    assert (refused["type"], refused["code"]) == ("error", "voice_not_found")
    mine = client.app[SIGNER].issue(users.list_keys("bob")[0].id, "ticket", 60)
    begun = await started(client, f"/ws/live?ticket={mine}", voice)
    async with client.ws_connect(f"/ws/live?ticket={ticket}") as socket:
        await socket.send_bytes(msgpack.packb({"type": "hello", "version": 1, "client": "x"}))
        await socket.receive()
        start = {"type": "start", "voice": "otto", "converter": "passthrough", "resume": begun["token"]}
        await socket.send_bytes(msgpack.packb(start))
        assert msgpack.unpackb((await socket.receive()).data).get("resumed") is False
    assert jobs.get(song).status == jobs.get(stage).status == "queued"


async def test_a_ticket_holds_for_its_time_for_reading_and_for_its_purpose(serve: Serve) -> None:
    client = await serve(SECURITY__API_KEY_REQUIRED="true", LIMITS__CONCURRENT_CONVERSIONS="0")
    users, signer = client.app[USERS], client.app[SIGNER]
    users.create_user("ada")
    key_id = users.create_key("ada")[1].id
    stage = _job(client.app[JOBS], "ada", "stage")
    path = f"/api/v1/karaoke/songs/{stage}"

    async def status(method: str, ticket: str) -> int:
        async with client.request(method, f"{path}?ticket={ticket}") as response:
            return response.status

    good = signer.issue(key_id, "ticket", 60)
    assert await status("GET", good) == 200
    assert await status("DELETE", good) == 401  # it may have been seen in a log
    assert await status("GET", signer.issue(key_id, "ticket", -1)) == 401
    assert await status("GET", signer.issue(key_id, "page", 60)) == 401
    assert await status("GET", "a" * 5000) == 401
    assert await status("GET", good.replace(".", "")) == 401
    async with client.get(path, cookies={"autovoice": good}) as response:
        assert response.status == 401
    users.revoke(key_id)
    assert await status("GET", good) == 401


async def test_another_page_cannot_use_the_cookie(serve: Serve) -> None:
    client = await serve(SECURITY__API_KEY_REQUIRED="true", LIMITS__CONCURRENT_CONVERSIONS="0")
    users = client.app[USERS]
    users.create_user("ada")
    cookie = {"autovoice": client.app[SIGNER].issue(users.create_key("ada")[1].id, "page", 60)}
    async with client.get("/api/v1/queue/status", cookies=cookie) as response:
        assert response.status == 200
    # another port or another name of the same site is SameSite to the browser, and another origin to us
    for origin in (f"http://{client.host}:1", "http://evil.localhost", "null", "http://[", "x" * 3000, ""):
        headers = {"Origin": origin}
        for method, path in (("POST", "/api/v1/ticket"), ("DELETE", "/api/v1/voice/profiles/x")):
            async with client.request(method, path, headers=headers, cookies=cookie) as response:
                assert (response.status, (await response.json())["error"]) == (403, "origin_not_allowed")
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.ws_connect("/ws/live", headers=headers)
        assert caught.value.status == 403


HOSTS = (
    ("localhost:5000", 200),
    ("127.0.0.1", 200),
    ("[::1]:5000", 200),
    ("192.168.1.5:5000", 200),
    ("x.localhost", 200),
    ("named.example", 200),
    ("rebound.example", 403),
    ("rebound.example:5000", 403),
    ("localhost.rebound.example", 403),
    ("[::1", 403),
)


async def test_a_name_that_somebody_led_here_is_not_ours(serve: Serve) -> None:
    client = await serve(SECURITY__ALLOWED_ORIGINS="['https://named.example']")
    for host, expected in HOSTS:
        headers = {"Host": host, "Origin": f"http://{host}"}
        async with client.get("/api/v1/queue/status", headers=headers) as response:
            assert response.status == expected, host


async def test_behind_a_proxy_or_with_keys_any_name_will_do(serve: Serve) -> None:
    headers = {"Host": "karaoke.example.org"}
    for settings, expected in (
        ({"SERVER__PROXIES": "1"}, 200),
        ({"SECURITY__API_KEY_REQUIRED": "true"}, 401),
        ({"SERVER__HOST": "0.0.0.0"}, 200),  # with --insecure, in so many words
    ):
        client = await serve(**settings)
        async with client.get("/api/v1/queue/status", headers=headers) as response:
            assert response.status == expected


BODIES = (
    b'{"text": "\\ud800", "voice": "otto"}',
    b'{"text": "hello", "voice": "../../secret"}',
    b'{"text": "hello", "voice": "\\u0000"}',
    b'{"text": "hello", "language": "../x"}',
    b'{"text": "hello", "speed": NaN}',
    b'{"text": "hello", "speed": 1e999}',
    b'{"text": ["hello"]}',
    b'{"text": "hello", "speaker_id": 99999999999999999999999}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"1" * 10_000,
    b"\xff\xfe{}",
    b"null",
    b"",
)


async def test_json_that_is_none_of_ours_is_refused(client: Client) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/api/v1/synthesize", "/api/v1/karaoke/songs", "/api/v1/live/offer"):
        for body in BODIES:
            async with client.post(path, data=body, headers=headers) as response:
                answer = await response.json()
            assert 400 <= response.status < 500, (path, body[:100], answer)
            assert set(answer) == {"error", "message", "details"}


async def test_a_bomb_in_the_body_is_refused_before_it_is_large(client: Client) -> None:
    bomb = gzip.compress(b" " * 64 * 2**20)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with client.post("/api/v1/synthesize", data=bomb, headers=headers) as response:
        assert response.status == 400
    form = gzip.compress(b"--x\r\nContent-Disposition: form-data; name=user_id\r\n\r\n" + b"a" * 64 * 2**20)
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Encoding": "gzip"}
    async with client.post("/api/v1/voice/clone", data=form, headers=headers) as response:
        assert response.status == 400


FORMS = {
    "no boundary": (b"", "multipart/form-data"),
    "an empty one": (b"", "multipart/form-data; boundary="),
    "nothing in it": (b"--x--\r\n", "multipart/form-data; boundary=x"),
    "it breaks off": (b"--x\r\nContent-Disposition: form-data; name=song", "multipart/form-data; boundary=x"),
    "no name": (b"--x\r\nContent-Type: audio/wav\r\n\r\nabc\r\n--x--\r\n", "multipart/form-data; boundary=x"),
    "a header without end": (b"--x\r\nA: " + b"a" * 100_000, "multipart/form-data; boundary=x"),
    "many headers": (b"--x\r\n" + b"A: a\r\n" * 20_000, "multipart/form-data; boundary=x"),
    "many parts": (
        b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * 1000 + b"--x--\r\n",
        "multipart/form-data; boundary=x",
    ),
    "nested": (
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--\r\n",
        "multipart/form-data; boundary=x",
    ),
    "a long boundary": (b"--x--\r\n", "multipart/form-data; boundary=" + "x" * 500),
    "not a form": (b"{}", "text/plain"),
}


async def test_forms_that_are_none_are_refused(client: Client) -> None:
    for path in ("/api/v1/convert/song", "/api/v1/voice/clone", "/api/v1/karaoke/songs"):
        for what, (body, content_type) in FORMS.items():
            async with client.post(path, data=body, headers={"Content-Type": content_type}) as response:
                answer = await response.json()
            assert response.status == 400, (path, what, answer)
            assert answer["error"] in ("invalid_request", "missing_required_field"), (path, what, answer)


async def test_half_sent_songs_do_not_fill_the_disk(client: Client) -> None:
    coming = client.app[COMING]
    head = b"--x\r\nContent-Disposition: form-data; name=song; filename=s.wav\r\n\r\nRIFF"
    lines = []
    for _ in range(MOST_COMING):
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(
            f"POST /api/v1/convert/song HTTP/1.1\r\nHost: {client.host}\r\nContent-Length: 100000000\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
            + head
        )
        lines.append((reader, writer))
    async with asyncio.timeout(60):
        while len(coming) < MOST_COMING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with client.post("/api/v1/convert/song", data=b"") as response:
            assert (response.status, (await response.json())["error"]) == (503, "service_unavailable")
        folders = list(coming)
        assert all(folder.is_dir() for folder in folders)
        for _, writer in lines:
            writer.close()
        while coming:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not any(folder.exists() for folder in folders)


async def test_the_name_of_a_file_is_no_path_and_no_escape(client: Client, tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", 2.0)
    name = b"../../\xff\xc2\x9bnew\\song\xff.wav"
    parts = (
        b'--x\r\nContent-Disposition: form-data; name="song"; filename="' + name + b'"\r\n\r\n',
        song.read_bytes(),
        b"\r\n--x\r\nContent-Disposition: form-data; name=target_profile_id\r\n\r\notto\r\n--x--\r\n",
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with client.post("/api/v1/convert/song", data=b"".join(parts), headers=headers) as response:
        document = await response.json()
        assert response.status == 202, document
    assert document["song_name"] == "\ufffd\ufffdnewsong\ufffd.wav"
    assert bare_name("a/\x1b[2J\udcff\x9bname\x00\u3000.wav") == "\ufffd[2J\ufffd\ufffdname\u3000.wav"
