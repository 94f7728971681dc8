"""A line for each request, as the runbook's commands read them."""

from __future__ import annotations

import logging

import pytest

from auto_voice.logs import _tell_about
from auto_voice.web.auth import USERS
from tests.auto_voice.web.conftest import Serve


async def test_requests_are_told_of_by_route_with_their_time(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(LOGGING__REQUESTS="true", SECURITY__API_KEY_REQUIRED="true")
    users = client.app[USERS]
    users.create_user("ada")
    headers = {"X-API-Key": users.create_key("ada")[0], "X-Request-ID": "abc"}
    caplog.handler.addFilter(_tell_about)
    with caplog.at_level(logging.INFO, "auto_voice.requests"):
        async with client.get("/api/v1/voice/profiles/x%0Ay?ticket=hush", headers=headers) as response:
            assert response.status == 404
        for path in ("/api/v1/queue/status", "/nowhere", "/api/nowhere", "/health", "/api/v1/health"):
            async with client.get(path) as response:
                await response.read()
    told = [record for record in caplog.records if record.name == "auto_voice.requests"]
    fields = [(r.endpoint, r.method, r.status, r.client) for r in told]  # type: ignore[attr-defined]
    assert fields == [
        ("/api/v1/voice/profiles/{profile_id}", "GET", 404, "user ada"),
        ("/api/v1/queue/status", "GET", 401, "address 127.0.0.1"),
        ("unknown", "GET", 401, "address 127.0.0.1"),
    ]
    assert told[0].about == "abc"  # type: ignore[attr-defined]
    assert all(0 <= r.processing_time < 60 for r in told)  # type: ignore[attr-defined]
    assert "hush" not in caplog.text


async def test_none_is_told_of_unless_that_is_asked_for(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    client = await serve()
    with caplog.at_level(logging.INFO, "auto_voice.requests"):
        async with client.get("/api/v1/queue/status") as response:
            assert response.status == 200
    assert [record for record in caplog.records if record.name == "auto_voice.requests"] == []
