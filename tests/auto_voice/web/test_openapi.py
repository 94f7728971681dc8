"""The OpenAPI document against the real server: schemathesis asks, every answer must be a documented one."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from auto_voice.settings import load_settings
from auto_voice.web.app import create_app
from auto_voice.web.openapi import DOCUMENT, PATHS
from pipeline.speech.limits import LONGEST_TEXT

schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The whole server on a thread of its own; conversions stay in the queue."""
    folder = tmp_path_factory.mktemp("openapi")
    environ = {"AUTOVOICE_STORAGE__DATA_DIR": str(folder), "AUTOVOICE_LIMITS__CONCURRENT_CONVERSIONS": "1"}
    ready, stop, found = threading.Event(), asyncio.Event(), []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        runner = web.AppRunner(create_app(load_settings(environ=environ)), shutdown_timeout=3.0)
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
    yield f"http://127.0.0.1:{found[0]}"
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


@schema.parametrize()
@settings(
    max_examples=int(os.environ.get("OPENAPI_EXAMPLES", "15")),
    derandomize="OPENAPI_EXAMPLES" not in os.environ,  # the same questions each time, unless more are wanted
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_documented(case: schemathesis.Case, address: str) -> None:
    text = case.body.get("text") if isinstance(case.body, dict) else None
    if isinstance(text, str) and len(text) <= LONGEST_TEXT:
        case.body["text"] = text[:60]  # a long text is spoken for minutes
    # what is in a file cannot be described, so a file that is refused is no contradiction
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance])


def test_every_route_is_documented(tmp_path: Path) -> None:
    app = create_app(load_settings(environ={"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path)}))
    served = {
        (resource.canonical, route.method.lower())
        for resource in app.router.resources()
        for route in resource
        if resource.canonical.startswith("/api/v1/") and route.method != "HEAD"
    }
    documented = {
        (path.replace("{conversion_id}", "{job_id}"), method)
        for path, methods in PATHS.items()
        for method in methods
    }
    undocumented = {(path, method) for path, method in served - documented if "/health" not in path}
    assert undocumented == {("/api/v1/openapi.json", "get")}
