"""Songs through the whole service: real uploads, real workers, real results."""

import asyncio
import io as std_io
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest

from auto_voice.jobs.song_request import SongRequest
from auto_voice.web.current import CURRENT
from auto_voice.web.health import SUPERVISOR
from auto_voice.web.reception import JOBS
from pipeline import io
from tests.auto_voice.web.conftest import Client, Serve
from tests.live import until
from tests.songs import RATE, song, write_song

CONVERT = "/api/v1/convert"


@pytest.fixture
async def server(serve: Serve, models_dir: Path) -> Client:
    return await serve(STORAGE__MODELS_DIR=str(models_dir), LIMITS__CONCURRENT_CONVERSIONS="1")


@pytest.fixture
async def idle(serve: Serve) -> Client:
    """A server whose only worker never gets to work: jobs stay in the queue."""
    client = await serve(LIMITS__MAX_QUEUE_SIZE="2", LIMITS__MAX_AUDIO_SIZE_MB="2")
    await asyncio.to_thread(client.app[SUPERVISOR].stop)
    return client


def form(content: bytes | Path, name: str = "song.wav", **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(default_to_multipart=True)
    for field, value in fields.items():
        data.add_field(field, value)
    body = content.read_bytes() if isinstance(content, Path) else content
    data.add_field("song", std_io.BytesIO(body), filename=name)
    return data


async def submit(client: Client, content: bytes | Path, **fields: str) -> dict[str, Any]:
    fields = {"target_profile_id": "otto", **fields}
    async with client.post(f"{CONVERT}/song", data=form(content, **fields)) as response:
        document: dict[str, Any] = await response.json()
        assert response.status == 202, document
    return document


async def get(client: Client, path: str, **params: str) -> tuple[int, dict[str, Any]]:
    async with client.get(path, params=params) as response:
        return response.status, await response.json()


async def finished(client: Client, job_id: str, seconds: float = 120) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        while True:
            _, document = await get(client, f"{CONVERT}/status/{job_id}")
            if document["status"] not in ("queued", "processing"):
                return document
            await asyncio.sleep(0.1)


async def test_a_song_goes_all_the_way(server: Client, tmp_path: Path) -> None:
    source = write_song(tmp_path / "song.flac", 6.0)
    made = await submit(server, source, user_id="ann")
    assert made["status"] == "queued"
    assert made["estimated_time_seconds"] > 0
    messages = []
    async with server.ws_connect(made["websocket_url"]) as socket:
        messages.extend([message.json() async for message in socket])
    assert messages[-1]["type"] == "completed"
    assert all(m["type"] == "progress" for m in messages[:-1])
    assert [m["progress"] for m in messages] == sorted(m["progress"] for m in messages)

    _, document = await get(server, made["status_url"])
    assert document["progress"] == 100
    assert document["processing_time_seconds"] > 0
    result = document["result"]
    assert result["metadata"]["original_duration_seconds"] == pytest.approx(6.0, abs=0.01)
    assert result["metadata"]["separation_model"] == "spleeter"
    assert any("spleeter" in note for note in document["notes"])
    assert result["quality_metrics"]["pitch_accuracy"]["median_abs_cents"] < 30
    assert result["quality_metrics"]["speaker_similarity"]["cosine_similarity"] is not None

    stems = {}
    for name, url in {"converted": result["converted_audio_url"], **result["stems"]}.items():
        async with server.get(url) as response:
            assert response.status == 200
            assert response.content_type == "audio/wav"
            stems[name] = io.decode(await response.read(), sample_rate=RATE, max_seconds=10).samples
        assert len(stems[name]) == 6 * RATE
    together = stems["vocals_url"] + 0.9 * stems["instrumental_url"]
    assert np.abs(stems["converted"] - together).max() < 0.01
    async with server.get(result["converted_audio_url"], headers={"Range": "bytes=0-99"}) as response:
        assert response.status == 206
        assert len(await response.read()) == 100
    async with server.get(document["original_audio_url"]) as response:
        assert await response.read() == source.read_bytes()

    _, mine = await get(server, f"{CONVERT}/jobs", user_id="ann")
    assert [job["conversion_id"] for job in mine["conversions"]] == [made["conversion_id"]]
    _, queue = await get(server, "/api/v1/queue/status")
    assert (queue["completed"], queue["queued"]) == (1, 0)

    again = await submit(server, source, target_profile_id="aria", output_format="mp3", return_stems="false")
    document = await finished(server, again["conversion_id"])
    assert document["result"]["metadata"]["stems_from_cache"] is True
    assert document["result"]["converted_audio_url"].endswith("converted.mp3")
    assert document["result"]["stems"] is None


async def test_a_song_without_a_voice_comes_back_as_it_was(server: Client, tmp_path: Path) -> None:
    source = write_song(tmp_path / "song.wav", 5.0, voice=0.0)
    made = await submit(server, source, instrumental_volume="1")
    document = await finished(server, made["conversion_id"])
    assert document["status"] == "completed"
    assert any("no vocals" in note for note in document["notes"])
    async with server.get(document["result"]["converted_audio_url"]) as response:
        back = io.decode(await response.read(), sample_rate=RATE, max_seconds=10).samples
    assert np.abs(back - song(5.0, voice=0.0).mean(0)).max() < 0.01
    quality = document["result"]["quality_metrics"]
    assert quality["overall_quality_score"] is None
    assert quality["unmeasured"]["pitch_accuracy"]


@pytest.mark.parametrize(
    ("seconds", "level", "code"), [(3.0, 0.0, "poor_audio_quality"), (0.3, 0.1, "audio_too_short")]
)
async def test_what_is_no_song_is_refused_when_it_comes(
    server: Client, tmp_path: Path, seconds: float, level: float, code: str
) -> None:
    path = write_song(tmp_path / "no_song.wav", seconds, voice=0.0, chords=level)
    async with server.post(
        f"{CONVERT}/song", data=form(path.read_bytes(), target_profile_id="otto")
    ) as response:
        assert (response.status, (await response.json())["error"]) == (400, code)


async def test_a_song_that_breaks_after_it_came_fails_alone(server: Client, tmp_path: Path) -> None:
    good = await submit(server, write_song(tmp_path / "good.mp3", 4.0))
    folder = server.app[CURRENT].settings.storage.results_dir / "conv-bad"
    folder.mkdir()
    write_song(folder / "upload.wav", 3.0, voice=0.0, chords=0.0)
    request = asdict(SongRequest(voice_id="otto", preset="fast"))
    server.app[JOBS].submit("song", {"request": request, "upload": "upload.wav"}, job_id="conv-bad")
    document = await finished(server, "conv-bad")
    assert document["status"] == "failed"
    assert document["error"]["code"] == "poor_audio_quality"
    assert document["error"]["details"]["suggestions"]
    assert (await finished(server, good["conversion_id"]))["status"] == "completed"
    status, body = await get(server, f"{CONVERT}/download/conv-bad/converted.wav")
    assert (status, body["error"]) == (404, "file_not_found")


async def test_a_running_song_is_cancelled_and_a_dead_worker_replaced(server: Client, tmp_path: Path) -> None:
    source = write_song(tmp_path / "long.wav", 90.0)
    made = await submit(server, source)
    jobs = server.app[JOBS]
    await until(lambda: jobs.get(made["conversion_id"]).progress > 10, 90)
    server.app[SUPERVISOR]._places[0].process.kill()
    await until(lambda: jobs.get(made["conversion_id"]).attempts == 2, 60)
    await until(lambda: jobs.get(made["conversion_id"]).progress > 5, 90)
    async with server.post(f"{CONVERT}/cancel/{made['conversion_id']}") as response:
        assert response.status == 200
    document = await finished(server, made["conversion_id"])
    assert document["status"] == "cancelled"
    async with server.delete(f"{CONVERT}/{made['conversion_id']}") as response:
        assert (response.status, (await response.json())["error"]) == (409, "conversion_finished")


async def test_bad_uploads_are_refused_at_once(idle: Client, tmp_path: Path) -> None:
    good = write_song(tmp_path / "song.mp3", 3.0).read_bytes()
    long = write_song(tmp_path / "long.mp3", 30.0)
    for content, fields, status, code in (
        (b"", {}, 400, "invalid_audio"),
        (b"no song " * 500, {}, 400, "invalid_audio"),
        (b"%PDF-1.4 " * 500, {"name": "song.mp3"}, 400, "invalid_audio"),
        (good, {"target_profile_id": ""}, 400, "missing_required_field"),
        (good, {"target_profile_id": "nobody"}, 404, "profile_not_found"),
        (good, {"target_profile_id": "../../etc/passwd"}, 404, "profile_not_found"),
        (good, {"vocal_volume": "loud"}, 400, "invalid_parameter"),
        (good, {"user_id": "a\nb"}, 400, "invalid_parameter"),
        (good, {"pitch_tracker": "rmvpe"}, 503, "weights_unavailable"),
        (bytes(2 * 2**20 + 1), {}, 413, "file_too_large"),
    ):
        data = form(content, **{"target_profile_id": "otto", **fields})
        async with idle.post(f"{CONVERT}/song", data=data) as response:
            body = await response.json()
            assert (response.status, body["error"]) == (status, code), body
            assert isinstance(body["details"]["suggestions"], list)
    async with idle.post(f"{CONVERT}/song", data=b"RIFF") as response:
        assert (await response.json())["error"] == "invalid_request"
    assert idle.app[JOBS].counts() == {}
    assert list((tmp_path / "results").iterdir()) == []
    assert long.exists()


async def test_too_long_songs_are_refused_by_what_they_claim(serve: Serve, tmp_path: Path) -> None:
    client = await serve(LIMITS__MAX_SONG_DURATION_S="5")
    async with client.post(
        f"{CONVERT}/song", data=form(write_song(tmp_path / "a.flac", 8.0), target_profile_id="otto")
    ) as response:
        assert (response.status, (await response.json())["error"]) == (400, "invalid_audio_duration")


async def test_a_full_queue_sends_songs_away(idle: Client, tmp_path: Path) -> None:
    source = write_song(tmp_path / "song.mp3", 3.0)
    for place in range(2):
        made = await submit(idle, source)
        _, document = await get(idle, made["status_url"])
        assert document["queue_position"] == place
    async with idle.post(f"{CONVERT}/song", data=form(source, target_profile_id="otto")) as response:
        assert (response.status, (await response.json())["error"]) == (503, "service_unavailable")
    async with idle.post(f"{CONVERT}/cancel/{made['conversion_id']}") as response:
        assert (await response.json())["status"] == "cancelled"
    await submit(idle, source)


async def test_paths_in_names_are_names_only(idle: Client, tmp_path: Path) -> None:
    content = write_song(tmp_path / "song.mp3", 3.0).read_bytes()
    field = b"--x\r\nContent-Disposition: form-data; name="
    body = field + b'"song"; filename="..\\..\\../../evil \xc3\xa4.mp3"\r\n\r\n' + content + b"\r\n"
    body += field + b'"target_profile_id"\r\n\r\notto\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with idle.post(f"{CONVERT}/song", data=std_io.BytesIO(body), headers=headers) as response:
        document = await response.json()
    assert document["song_name"] == "evil ä.mp3"
    for name in ("..%2f..%2fjobs.db", "upload", "%2e%2e", "result"):
        status, _ = await get(idle, f"{CONVERT}/download/{document['conversion_id']}/{name}")
        assert status in (404, 409)


async def test_jobs_belong_to_their_user(idle: Client, tmp_path: Path) -> None:
    made = await submit(idle, write_song(tmp_path / "song.mp3", 3.0), user_id="ann")
    job_id = made["conversion_id"]
    for path in (f"{CONVERT}/status/{job_id}", f"{CONVERT}/download/{job_id}/converted.wav"):
        status, body = await get(idle, path, user_id="bob")
        assert (status, body["error"]) == (403, "unauthorized")
    async with idle.post(f"{CONVERT}/cancel/{job_id}", params={"user_id": "bob"}) as response:
        assert response.status == 403
    status, body = await get(idle, f"{CONVERT}/download/{job_id}/converted.wav", user_id="ann")
    assert (status, body["error"]) == (409, "conversion_incomplete")
    async with idle.ws_connect(f"/ws/conversion/{job_id}?user_id=bob") as socket:
        assert (await socket.receive_json())["error"]["code"] == "unauthorized"


async def test_unknown_jobs_are_not_found(idle: Client) -> None:
    for path in ("status/x", "download/x/converted.wav", "status/..%2f.."):
        status, body = await get(idle, f"{CONVERT}/{path}")
        assert status == 404
        assert body["error"] in ("conversion_not_found", "not_found")
    async with idle.ws_connect("/ws/conversion/x") as socket:
        message = await socket.receive_json()
    assert message["type"] == "error"
    assert message["error"]["code"] == "conversion_not_found"
    status, body = await get(idle, f"{CONVERT}/jobs")
    assert (status, body["error"]) == (400, "missing_parameter")


async def test_without_a_queue_busy_means_refused(serve: Serve, tmp_path: Path) -> None:
    client = await serve(LIMITS__QUEUE_ENABLED="false", LIMITS__CONCURRENT_CONVERSIONS="1")
    await asyncio.to_thread(client.app[SUPERVISOR].stop)
    source = write_song(tmp_path / "song.mp3", 3.0)
    await submit(client, source)
    async with client.post(f"{CONVERT}/song", data=form(source, target_profile_id="otto")) as response:
        assert response.status == 503


async def test_a_broken_upload_leaves_nothing(idle: Client, tmp_path: Path) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="song"; filename="a.wav"\r\n\r\n'
        yield bytes(1000)
        raise ConnectionResetError

    with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
        async with idle.post(
            f"{CONVERT}/song", data=half(), headers={"Content-Type": "multipart/form-data; boundary=x"}
        ):
            pass
    await until(lambda: not list((tmp_path / "results").iterdir()))


async def test_two_identical_uploads_share_the_work(serve: Serve, models_dir: Path, tmp_path: Path) -> None:
    client = await serve(STORAGE__MODELS_DIR=str(models_dir), LIMITS__CONCURRENT_CONVERSIONS="2")
    source = write_song(tmp_path / "song.mp3", 20.0)
    made = await asyncio.gather(submit(client, source), submit(client, source))
    documents = [await finished(client, m["conversion_id"]) for m in made]
    assert [d["status"] for d in documents] == ["completed", "completed"]
    assert sorted(d["result"]["metadata"]["stems_from_cache"] for d in documents) == [False, True]
    folders = [p for p in (tmp_path / "cache" / "stems").iterdir() if not p.name.startswith(".")]
    assert len(folders) == 1
    again = await submit(client, source, use_cache="false")
    assert again["estimated_time_seconds"] > 0
    document = await finished(client, again["conversion_id"])
    assert document["result"]["metadata"]["stems_from_cache"] is False


def _odd_files(folder: Path) -> dict[str, bytes]:
    """Songs that real people upload."""
    mono = write_song(folder / "m.wav", 3.0)
    with av.open(str(mono)) as source:
        pcm = np.concatenate([f.to_ndarray() for f in source.decode(audio=0)], 1)
    rates: dict[str, bytes] = {}
    for name, codec, rate in (
        ("8 kHz", "pcm_s16le", 8000),
        ("24 bit", "pcm_s24le", 96_000),
        ("float", "pcm_f32le", 44_100),
    ):
        buffer = std_io.BytesIO()
        with av.open(buffer, "w", format="wav") as out:
            stream: Any = out.add_stream(codec, rate=rate, layout="mono")
            resampler = av.AudioResampler(stream.codec_context.format, "mono", rate)
            frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1)[:, ::2].copy(), "s16", "mono")
            frame.sample_rate = RATE
            for part in resampler.resample(frame):
                out.mux(stream.encode(part))
            out.mux(stream.encode(None))
        rates[name] = buffer.getvalue()
    mp3 = write_song(folder / "m.mp3", 6.0).read_bytes()
    picture = b"APIC" + (20 * 2**20).to_bytes(4, "big") + b"\0\0" + bytes(20 * 2**20)
    size = len(picture)
    syncsafe = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    audio = mp3[10 + sum((mp3[6 + i] & 0x7F) << (21 - 7 * i) for i in range(4)) :] if mp3[:3] == b"ID3" else mp3
    return {
        **rates,
        "20 MB of pictures": b"ID3\x03\x00\x00" + syncsafe + picture + audio,
        "truncated mp3": mp3[: len(mp3) * 2 // 3],
    }


async def test_odd_files_are_songs_all_the_same(server: Client, tmp_path: Path) -> None:
    made = {}
    for name, content in _odd_files(tmp_path).items():
        made[name] = (await submit(server, content, return_stems="false"))["conversion_id"]
    for name, job_id in made.items():
        document = await finished(server, job_id)
        assert document["status"] == "completed", (name, document.get("error"))
        assert document["result"]["metadata"]["original_duration_seconds"] > 2.5
