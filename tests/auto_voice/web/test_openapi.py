"""The OpenAPI document against the real server: schemathesis asks, every answer must be a documented one."""

import asyncio
import contextlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method

from auto_voice.settings import load_settings
from auto_voice.storage.users import Role
from auto_voice.web.app import create_app
from auto_voice.web.auth import OPEN, USERS
from auto_voice.web.openapi import DOCUMENT, PATHS
from pipeline.speech.limits import LONGEST_TEXT

schema = schemathesis.openapi.from_dict(DOCUMENT)


@dataclass(frozen=True)
class Place:
    """A server, and a key that it knows."""

    url: str
    key: str


@contextlib.contextmanager
def serving(folder: Path, **environ: str) -> Iterator[Place]:
    """The whole server on a thread of its own; conversions stay in the queue."""
    environ = {"STORAGE__DATA_DIR": str(folder), "LIMITS__CONCURRENT_CONVERSIONS": "1", **environ}
    app = create_app(load_settings(environ={f"AUTOVOICE_{name}": value for name, value in environ.items()}))
    app[USERS].create_user("ada", Role.ADMIN)
    key, _ = app[USERS].create_key("ada")
    ready, stop, found = threading.Event(), asyncio.Event(), []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        runner = web.AppRunner(app, shutdown_timeout=3.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found.append(runner.addresses[0][1])
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(120)
    yield Place(f"http://127.0.0.1:{found[0]}", key)
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


@pytest.fixture(scope="module")
def open_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving(tmp_path_factory.mktemp("open")) as place:
        yield place


@pytest.fixture(scope="module")
def locked_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving(tmp_path_factory.mktemp("locked"), SECURITY__API_KEY_REQUIRED="true") as place:
        yield place


def questions(examples: int) -> settings:
    """The same each time, unless more are wanted."""
    return settings(
        max_examples=int(os.environ.get("OPENAPI_EXAMPLES", examples)),
        derandomize="OPENAPI_EXAMPLES" not in os.environ,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def shorten(case: schemathesis.Case) -> None:
    """Long texts are spoken for minutes."""
    text = case.body.get("text") if isinstance(case.body, dict) else None
    if isinstance(text, str) and len(text) <= LONGEST_TEXT:
        case.body["text"] = text[:60]


@schema.parametrize()
@questions(15)
def test_every_answer_is_documented(case: schemathesis.Case, open_place: Place) -> None:
    shorten(case)
    # what is in a file cannot be described, so a file that is refused is no contradiction
    case.call_and_validate(base_url=open_place.url, excluded_checks=[positive_data_acceptance], timeout=60)


@schema.parametrize()
@questions(6)
def test_with_a_key_too(case: schemathesis.Case, locked_place: Place) -> None:
    shorten(case)
    headers = {"X-API-Key": locked_place.key}
    case.call_and_validate(
        base_url=locked_place.url, headers=headers, excluded_checks=[positive_data_acceptance], timeout=60
    )


@schema.parametrize()
@questions(3)
def test_without_a_key_where_one_is_needed(case: schemathesis.Case, locked_place: Place) -> None:
    case.headers.pop("X-API-Key", None)
    answer = case.call(base_url=locked_place.url)
    # who has no key is not told which methods there are
    case.validate_response(answer, excluded_checks=[positive_data_acceptance, unsupported_method])
    path = case.operation.path
    assert path.startswith(OPEN) or answer.status_code == 401


def test_every_route_is_documented(tmp_path: Path) -> None:
    app = create_app(load_settings(environ={"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path)}))
    served = {
        (resource.canonical, route.method.lower())
        for resource in app.router.resources()
        for route in resource
        if resource.canonical.startswith("/api/v1/") and route.method != "HEAD"
    }
    documented = {
        (re.sub(r"{(conversion|song)_id}", "{job_id}", path), method)
        for path, methods in PATHS.items()
        for method in methods
    }
    undocumented = {(path, method) for path, method in served - documented if "/health" not in path}
    assert undocumented == {("/api/v1/openapi.json", "get")}
