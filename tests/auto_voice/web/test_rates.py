"""Rate limits, in memory and in a real Redis, and which other sites may ask."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from auto_voice.settings import SettingsError
from auto_voice.storage.users import Role
from auto_voice.web.auth import USERS
from auto_voice.web.rates import RateLimited, RateLimits
from bench.service import free_port
from tests.auto_voice.web.conftest import Client, Serve

LIMITED = {"SECURITY__RATE_LIMITING_ENABLED": "true", "LIMITS__CONCURRENT_CONVERSIONS": "0"}


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server is installed")
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("redis")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.mark.parametrize("where", ["memory", "redis"])
async def test_each_client_has_what_the_limit_allows(where: str, request: pytest.FixtureRequest) -> None:
    url = "memory://" if where == "memory" else request.getfixturevalue("redis_url")
    rates = RateLimits(url)
    left = [(await rates.hit("user ada", "songs", 3)).left for _ in range(3)]
    assert left == [2, 1, 0]
    with pytest.raises(RateLimited) as caught:
        await rates.hit("user ada", "songs", 3)
    assert 3500 < int(caught.value.headers["Retry-After"]) <= 3600
    assert (await rates.hit("user bob", "songs", 3)).left == 2
    assert (await rates.hit("user ada", "voices", 3)).left == 2


async def test_servers_that_share_a_redis_share_the_counts(redis_url: str) -> None:
    one, other = RateLimits(redis_url), RateLimits(redis_url)
    await one.hit("user carl", "songs", 2)
    assert (await other.hit("user carl", "songs", 2)).left == 0


def test_a_storage_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="rate_limit_storage"):
        RateLimits("nonsense://here")


async def test_what_is_asked_too_often_is_refused_with_a_time(serve: Serve) -> None:
    client = await serve(**LIMITED, SECURITY__CLONES_PER_HOUR="2", LIMITS__REQUESTS_PER_HOUR="3")
    path = "/api/v1/voice/clone"
    for left in ("1", "0"):
        async with client.post(path, data=b"") as response:
            assert response.status == 400
            assert response.headers.get("X-RateLimit-Remaining", left) == left
    async with client.post(path, data=b"") as response:
        assert response.status == 429
        body = await response.json()
        assert body["error"] == "rate_limited"
        assert int(response.headers["Retry-After"]) > 3000
        assert response.headers["X-RateLimit-Limit"] == "2"
    async with client.get("/api/v1/voice/profiles") as response:
        assert response.status == 200
        assert response.headers["X-RateLimit-Limit"] == "7200"
    for _ in range(3):
        async with client.delete("/api/v1/voice/profiles/x") as response:
            assert response.status in (403, 404)
    async with client.delete("/api/v1/voice/profiles/x") as response:
        assert response.status == 429
    for _ in range(20):
        async with client.get("/health") as response:
            assert response.status == 200


async def test_users_are_counted_not_their_addresses(serve: Serve) -> None:
    client = await serve(**LIMITED, SECURITY__API_KEY_REQUIRED="true", SECURITY__CONVERSIONS_PER_HOUR="1")
    assert client.server is not None
    users = client.server.app[USERS]
    keys = {}
    for name in ("ada", "bob"):
        users.create_user(name, Role.USER)
        keys[name] = {"X-API-Key": users.create_key(name)[0]}

    async def status(name: str) -> int:
        async with client.post("/api/v1/convert/song", headers=keys[name]) as response:
            return response.status

    assert [await status("ada"), await status("ada"), await status("bob")] == [503, 429, 503]


@pytest.mark.parametrize(("proxies", "refused"), [("1", [503, 503, 429]), ("0", [503, 429, 429])])
async def test_addresses_are_believed_from_our_own_proxies_only(
    serve: Serve, proxies: str, refused: list[int]
) -> None:
    client = await serve(**LIMITED, SERVER__PROXIES=proxies, SECURITY__CONVERSIONS_PER_HOUR="1")
    statuses = []
    for told in ("198.51.100.1", "203.0.113.9, 198.51.100.2", "203.0.113.7, 198.51.100.2"):
        async with client.post("/api/v1/convert/song", headers={"X-Forwarded-For": told}) as response:
            statuses.append(response.status)
    assert statuses == refused


async def test_who_guesses_keys_is_listened_to_no_more(serve: Serve) -> None:
    limits = {**LIMITED, "SERVER__PROXIES": "1", "SECURITY__WRONG_KEYS_PER_HOUR": "3"}
    client = await serve(**limits, SECURITY__API_KEY_REQUIRED="true")
    users = client.app[USERS]
    users.create_user("ada", Role.USER)
    right = users.create_key("ada")[0]

    async def status(key: str, address: str = "198.51.100.1") -> int:
        headers = {"X-API-Key": key, "X-Forwarded-For": address}
        async with client.get("/api/v1/queue/status", headers=headers) as response:
            if response.status == 429:
                assert 3000 < int(response.headers["Retry-After"]) <= 3600
            return response.status

    assert await status(right) == 200
    assert [await status(f"guess {i}") for i in range(5)] == [403, 403, 403, 429, 429]
    assert await status(right) == 429  # it might be a lucky guess
    assert await status(right, "198.51.100.2") == 200


async def origins(client: Client, origin: str) -> tuple[int, int]:
    """How a request and a WebSocket of that origin fare."""
    async with client.get("/api/v1/queue/status", headers={"Origin": origin}) as response:
        asked = response.status
    try:
        async with client.ws_connect("/ws/live", headers={"Origin": origin}):
            return asked, 101
    except aiohttp.WSServerHandshakeError as problem:
        return asked, problem.status


async def test_pages_of_other_sites_are_kept_out_unless_they_are_named(serve: Serve) -> None:
    client = await serve(SECURITY__ALLOWED_ORIGINS="['https://good.example']", LIVE__CAPACITY="2")
    own = str(client.make_url("")).rstrip("/")
    assert await origins(client, own) == (200, 101)
    assert await origins(client, "https://good.example") == (200, 101)
    for bad in ("https://bad.example", "null", "https://good.example.bad.example", "http://good.example"):
        assert await origins(client, bad) == (403, 403)
    ask = {"Origin": "https://good.example", "Access-Control-Request-Method": "POST"}
    async with client.options("/api/v1/voice/clone", headers=ask) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "https://good.example"
        assert "X-API-Key" in response.headers["Access-Control-Allow-Headers"]
    async with client.get("/api/v1/queue/status", headers={"Origin": "https://good.example"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "https://good.example"
