"""Keys, tickets and cookies, and what a user reaches with them."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass

import msgpack
import numpy as np
import pytest

from auto_voice.jobs.song_request import SongRequest
from auto_voice.storage.users import Role
from auto_voice.web.api import STORE
from auto_voice.web.auth import COOKIE, USERS
from auto_voice.web.reception import JOBS
from pipeline.profile import ProfileMeasurement
from pipeline.voice import Voice
from tests.auto_voice.web.conftest import Client, Serve


@dataclass
class Locked:
    """A server that wants keys, and three keys for it."""

    client: Client
    ada: dict[str, str]
    bob: dict[str, str]
    admin: dict[str, str]


@pytest.fixture
async def locked(serve: Serve) -> Locked:
    client = await serve(
        SECURITY__API_KEY_REQUIRED="true", LIVE__CAPACITY="3", LIMITS__CONCURRENT_CONVERSIONS="0"
    )
    assert client.server is not None
    users = client.server.app[USERS]
    headers = []
    for name, role in (("ada", Role.USER), ("bob", Role.USER), ("root", Role.ADMIN)):
        users.create_user(name, role)
        headers.append({"X-API-Key": users.create_key(name)[0]})
    return Locked(client, *headers)


def profile_of(client: Client, user: str) -> str:
    assert client.server is not None
    store = client.server.app[STORE]
    voice: Voice = store.voice("otto")
    measured = ProfileMeasurement(voice, {}, {}, {}, [])
    profile_id: str = store.create(measured, user, f"{user}'s")["profile_id"]
    return profile_id


async def test_without_a_key_only_the_page_and_the_watchers_get_in(locked: Locked) -> None:
    for path in ("/", "/song", "/client/js/main.js", "/health", "/api/v1/health/ready", "/metrics"):
        async with locked.client.get(path) as response:
            assert response.status == 200, path
    for method, path in (
        ("GET", "/api/v1/voice/profiles"),
        ("POST", "/api/v1/voice/clone"),
        ("POST", "/api/v1/convert/song"),
        ("POST", "/api/v1/live/offer"),
        ("GET", "/api/v1/queue/status"),
        ("GET", "/ws/live"),
        ("GET", "/ws/conversion/x"),
        ("POST", "/api/v1/ticket"),
        ("POST", "/api/v1/login"),
        ("GET", "/nowhere"),
    ):
        async with locked.client.request(method, path) as response:
            assert response.status == 401, path
            body = await response.json()
            assert (body["error"], body["details"]["suggestions"]) == (
                "api_key_required",
                ["send it in the header X-API-Key"],
            )


async def test_a_key_that_is_none_is_forbidden(locked: Locked) -> None:
    for key in ("nonsense", "", "av_0123456789ab_" + "x" * 43):
        async with locked.client.get("/api/v1/voice/profiles", headers={"X-API-Key": key}) as response:
            assert response.status == 403
            assert (await response.json())["error"] == "invalid_api_key"


async def test_a_key_is_asked_for_even_where_none_is_needed(serve: Serve) -> None:
    client = await serve()
    async with client.get("/api/v1/whoami") as response:
        assert await response.json() == {"api_key_required": False, "user": None, "role": None}
    async with client.get("/api/v1/whoami", headers={"X-API-Key": "nonsense"}) as response:
        assert response.status == 403


async def test_a_user_reaches_their_own_voices_only(locked: Locked) -> None:
    client = locked.client
    mine, other = profile_of(client, "ada"), profile_of(client, "bob")
    async with client.get("/api/v1/voice/profiles?limit=200", headers=locked.ada) as response:
        seen = {profile["profile_id"] for profile in (await response.json())["profiles"]}
    assert mine in seen
    assert other not in seen
    assert "otto" in seen
    async with client.get("/api/v1/voice/profiles?user_id=bob", headers=locked.ada) as response:
        assert (response.status, (await response.json())["error"]) == (403, "unauthorized")
    for method in ("GET", "DELETE"):
        async with client.request(method, f"/api/v1/voice/profiles/{other}", headers=locked.ada) as response:
            assert (response.status, (await response.json())["error"]) == (404, "profile_not_found")
    async with client.get(f"/api/v1/voice/profiles/{other}", headers=locked.admin) as response:
        assert response.status == 200
    async with client.delete(f"/api/v1/voice/profiles/{mine}", headers=locked.ada) as response:
        assert response.status == 200


async def test_a_user_reaches_their_own_jobs_only(locked: Locked) -> None:
    client = locked.client
    assert client.server is not None
    jobs = client.server.app[JOBS]
    request = asdict(SongRequest("otto", "fast", 1.0, 0.9, 0.0, False, True, True, "wav"))
    parameters = {"request": request, "upload": "upload", "song_name": "a song", "notes": []}
    job = jobs.submit("song", parameters, user_id="bob", job_id=f"conv-{uuid.uuid4()}")
    nobodys = jobs.submit("song", parameters, job_id=f"conv-{uuid.uuid4()}")
    for which in (job, nobodys):
        for method, path in (
            ("GET", f"/api/v1/convert/status/{which.id}"),
            ("GET", f"/api/v1/convert/download/{which.id}/converted.wav"),
            ("POST", f"/api/v1/convert/cancel/{which.id}"),
            ("DELETE", f"/api/v1/convert/{which.id}"),
        ):
            async with client.request(method, path, headers=locked.ada) as response:
                assert (response.status, (await response.json())["error"]) == (404, "conversion_not_found")
    async with client.get(f"/api/v1/convert/status/{job.id}", headers=locked.bob) as response:
        assert response.status == 200
    async with client.get("/api/v1/convert/jobs", headers=locked.bob) as response:
        assert (await response.json())["pagination"]["total"] == 1
    async with client.get("/api/v1/convert/jobs?user_id=bob", headers=locked.ada) as response:
        assert response.status == 403


async def started(client: Client, address: str, voice: str) -> dict[str, object]:
    """What `/ws/live` answers to a start."""
    async with client.ws_connect(address) as socket:
        for message in (
            {"type": "hello", "version": 1, "client": "a test"},
            {"type": "start", "voice": voice, "user_id": "bob", "converter": "passthrough"},
        ):
            await socket.send_bytes(msgpack.packb(message))
            answer = msgpack.unpackb((await socket.receive()).data)
        if answer["type"] == "start":
            pcm = np.zeros(480, "<i2").tobytes()
            await socket.send_bytes(msgpack.packb({"type": "audio", "seq": 0, "position": 0, "pcm": pcm}))
        return dict(answer)


async def test_a_ticket_opens_a_live_session_with_ones_own_voices(locked: Locked) -> None:
    client = locked.client
    mine, other = profile_of(client, "ada"), profile_of(client, "bob")

    async def ticket() -> str:
        async with client.post("/api/v1/ticket", headers=locked.ada) as response:
            body = await response.json()
            assert body["expires_in_seconds"] == 60
            return str(body["ticket"])

    assert (await started(client, f"/ws/live?ticket={await ticket()}", mine))["type"] == "start"
    refused = await started(client, f"/ws/live?ticket={await ticket()}", other)
    assert (refused["type"], refused["code"]) == ("error", "voice_not_found")
    async with client.get(f"/ws/live?ticket={(await ticket())[:-3]}xyz") as response:
        assert response.status == 401
    async with client.get(f"/api/v1/voice/profiles?ticket={await ticket()}") as response:
        assert response.status == 401  # it is no key


async def test_a_page_that_was_let_in_stays_in_until_the_key_goes(locked: Locked) -> None:
    client = locked.client
    async with client.post("/api/v1/login", headers=locked.ada) as response:
        assert response.status == 200
        cookie = response.cookies[COOKIE]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    async with client.get("/api/v1/whoami") as response:
        assert (await response.json())["user"] == "ada"
    mine = profile_of(client, "ada")
    assert (await started(client, "/ws/live", mine))["type"] == "start"
    assert client.server is not None
    users = client.server.app[USERS]
    users.revoke(users.list_keys("ada")[0].id)
    async with client.get("/api/v1/voice/profiles") as response:
        assert response.status == 401
    async with client.post("/api/v1/login", headers=locked.bob) as response:
        assert response.status == 200
    async with client.post("/api/v1/logout") as response:
        assert response.status == 200
    async with client.get("/api/v1/voice/profiles") as response:
        assert response.status == 401
