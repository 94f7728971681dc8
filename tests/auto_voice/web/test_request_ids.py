from __future__ import annotations

import logging

import pytest

from auto_voice.logs import _tell_about
from auto_voice.web import api
from tests.auto_voice.web.conftest import Client


async def test_every_answer_has_an_id(client: Client) -> None:
    seen = set()
    for path in ("/health", "/nowhere", "/client/js/main.js"):
        async with client.get(path) as response:
            seen.add(response.headers["X-Request-ID"])
    assert len(seen) == 3
    async with client.get("/health", headers={"X-Request-ID": "from-the-proxy.7"}) as response:
        assert response.headers["X-Request-ID"] == "from-the-proxy.7"
    async with client.get("/health", headers={"X-Request-ID": "forged id; and more"}) as response:
        assert response.headers["X-Request-ID"] not in ("forged id; and more", "")


async def test_what_is_logged_says_which_request_it_is_about(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(api.validators, "pagination", broken)
    caplog.handler.addFilter(_tell_about)
    with caplog.at_level(logging.ERROR):
        async with client.get("/api/v1/voice/profiles", headers={"X-Request-ID": "abc-1"}) as response:
            body = await response.json()
    assert (response.status, body["details"]["reference"]) == (500, "abc-1")
    assert [record.about for record in caplog.records] == ["abc-1"]  # type: ignore[attr-defined]
