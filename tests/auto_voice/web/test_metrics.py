from dataclasses import asdict

import torch
from prometheus_client.parser import text_string_to_metric_families

from auto_voice.jobs.song_request import SongRequest
from auto_voice.web.reception import JOBS
from auto_voice.web.websocket_handler import ENGINE
from pipeline.converters.native.device import DeviceEnvelopes
from pipeline.converters.native.spare import SparedEnvelopes
from tests.auto_voice.web.conftest import Client, Serve


async def scrape(client: Client) -> dict[tuple[str, ...], float]:
    """All samples, by name and the values of its labels in the order of their names."""
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        text = await response.text()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_requests_are_counted_by_route_not_by_path(client: Client) -> None:
    for path in ("/health", "/health", "/no/such", "/nor/this", "/api/v1/voice/profiles/nobody"):
        async with client.get(path) as response:
            await response.read()
    found = await scrape(client)
    count = "autovoice_http_requests_total"  # labels: method, route, status
    assert found[count, "GET", "/health", "200"] == 2
    assert found[count, "GET", "unknown", "404"] == 2
    assert found[count, "GET", "/api/v1/voice/profiles/{profile_id}", "404"] == 1
    assert found["autovoice_http_request_seconds_count", "/health"] == 2


async def test_methods_that_clients_make_up_are_one(client: Client) -> None:
    for method in ("PROPFIND", "LOCK", "M-SEARCH"):
        async with client.request(method, "/health") as response:
            assert response.status == 405
    count = "autovoice_http_requests_total"
    assert {name[1] for name in await scrape(client) if name[0] == count} == {"other"}


async def test_the_engine_and_the_store_are_read_when_asked(client: Client) -> None:
    found = await scrape(client)
    assert found["autovoice_live_sessions",] == 0
    assert found["autovoice_live_parked",] == 0
    assert found["autovoice_live_capacity",] == 3
    assert found["autovoice_live_gap_samples_total",] == 0
    assert found["autovoice_voice_profiles",] >= 6
    assert found["autovoice_event_loop_lag_seconds",] >= 0
    assert found["autovoice_conversions", "queued"] == 0


async def test_health_tells_what_the_contract_names(client: Client) -> None:
    for path in ("/health", "/api/v1/health"):
        async with client.get(path) as response:
            assert response.status == 200
            document = await response.json()
        assert document["status"] == "healthy"
        assert document["model_loaded"] is True
        assert document["live"]["capacity"] == 3
        for name in ("gpu_available", "timestamp", "service", "version", "endpoints", "dependencies"):
            assert name in document
        assert document["gpu"]["available"] == (document["gpu"]["device_count"] > 0)
        assert document["models"] == {"vc_loaded": True, "tts_loaded": False}
        assert document["storage"]["cache_size_gb"] == 0
    for path in ("/health/ready", "/api/v1/health/live"):
        async with client.get(path) as response:
            assert response.status == 200


async def test_conversions_that_end_are_counted_once(serve: Serve) -> None:
    client = await serve(LIMITS__CONCURRENT_CONVERSIONS="0")
    assert client.server is not None
    jobs = client.server.app[JOBS]
    before = await scrape(client)
    assert before["autovoice_vc_requests_total", "success"] == 0
    assert before["autovoice_active_conversions",] == 0
    parameters = {"request": asdict(SongRequest("otto", "fast")), "upload": "x", "song_name": "x", "notes": []}
    for end in ("complete", "cancel", "complete"):
        job = jobs.submit("test", parameters)
        if end == "cancel":
            jobs.cancel(job.id)
        else:
            claimed = jobs.claim("a worker")
            assert claimed is not None
            assert jobs.complete(claimed.id, "a worker", {}, 60)
        await scrape(client)
    found = await scrape(client)
    assert found["autovoice_vc_requests_total", "success"] == 2
    assert found["autovoice_vc_requests_total", "cancelled"] == 1
    assert found["autovoice_vc_requests_total", "error"] == 0
    assert found["autovoice_vc_duration_seconds_count",] == 2
    assert found["autovoice_vc_duration_seconds_bucket", "5"] == 2
    assert found["autovoice_gpu_memory_used_bytes",] == 0


async def test_a_lost_gpu_is_told(client: Client) -> None:
    def lost() -> DeviceEnvelopes:
        raise torch.OutOfMemoryError("CUDA out of memory")

    native = client.app[ENGINE]._lanes["native"].converter
    async with client.get("/health") as response:
        assert (await response.json())["dependencies"]["gpu"] == "ok"
    native._envelopes = SparedEnvelopes(lost, native._envelopes)  # type: ignore[attr-defined]
    async with client.get("/health") as response:
        document = await response.json()
    assert (response.status, document["status"]) == (200, "degraded")
    assert "running on the CPU" in document["dependencies"]["gpu"]
    async with client.get("/metrics") as response:
        assert "autovoice_gpu_failed 1.0" in await response.text()
