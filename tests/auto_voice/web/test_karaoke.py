"""Stages through the whole service: real songs, real workers, real lyrics."""

import asyncio
import io as std_io
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest

from auto_voice.songbook import MOST_BYTES
from auto_voice.web.current import CURRENT
from auto_voice.web.health import SUPERVISOR
from bench.melodies import RATE, make_song
from pipeline import io
from tests.auto_voice.web.conftest import Client, Serve
from tests.songs import write_song

SONGS = "/api/v1/karaoke/songs"
LRC = "[ti:A tune]\n[00:01.00]first line\n[00:03.00]second line\n"
ULTRASTAR = "#TITLE:A tune\n#BPM:300\n#GAP:1000\n: 0 8 0 la\n* 10 8 4  la\nE\n"


@pytest.fixture
async def server(serve: Serve, models_dir: Path) -> Client:
    return await serve(STORAGE__MODELS_DIR=str(models_dir), LIMITS__CONCURRENT_CONVERSIONS="1")


@pytest.fixture
async def idle(serve: Serve) -> Client:
    """A server whose only worker never gets to work: jobs stay in the queue."""
    client = await serve()
    await asyncio.to_thread(client.app[SUPERVISOR].stop)
    return client


def form(content: bytes | Path, **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(default_to_multipart=True)
    for field, value in fields.items():
        data.add_field(field, value)
    body = content.read_bytes() if isinstance(content, Path) else content
    data.add_field("song", std_io.BytesIO(body), filename="tune.flac")
    return data


async def ask(client: Client, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
    async with client.request(method, path, **more) as answer:
        return answer.status, await answer.json()


async def submit(client: Client, content: bytes | Path, **fields: str) -> str:
    status, document = await ask(client, "POST", SONGS, data=form(content, **fields))
    assert status == 202, document
    return str(document["song_id"])


async def ready(client: Client, song_id: str) -> dict[str, Any]:
    async with asyncio.timeout(200):
        while True:
            _, document = await ask(client, "GET", f"{SONGS}/{song_id}")
            if document["status"] not in ("queued", "processing"):
                assert document["status"] == "completed", document
                return document
            await asyncio.sleep(0.1)


async def seconds_of(client: Client, path: str) -> float:
    async with client.get(path) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "audio/flac"
        content = await answer.read()
    with av.open(std_io.BytesIO(content)) as file:
        samples = sum(frame.samples for frame in file.decode(audio=0))
    return samples / RATE


async def test_a_song_becomes_a_stage(server: Client, tmp_path: Path) -> None:
    song = make_song(5, 15.0)
    io.encode(tmp_path / "song.flac", song.voice + song.band, RATE)
    song_id = await submit(server, tmp_path / "song.flac", user_id="ann", preset="fast")
    document = await ready(server, song_id)
    assert document["title"] == "tune"
    assert document["seconds"] == pytest.approx(15, abs=0.01)
    assert set(document["key"]) == {"tonic", "mode", "correlation", "name"}
    (part,) = document["parts"]
    assert not document["has_lyrics"]
    right = sum(
        any(abs(n["start_s"] - note.start_s) < 0.1 and n["pitch"] == note.pitch for n in part["notes"])
        for note in song.notes
    )
    assert right > 0.4 * len(song.notes)  # what separation leaves; the figures are bench.melody's
    assert part["lines"][0]["start_s"] == part["notes"][0]["start_s"]

    for name in ("accompaniment", "guide"):
        assert await seconds_of(server, document[f"{name}_url"]) == pytest.approx(15, abs=0.001)
    slow = f"{document['accompaniment_url']}?tempo=80&semitones=-2"
    assert await seconds_of(server, slow) == pytest.approx(15 / 0.8, abs=0.001)

    status, sung = await ask(server, "PUT", f"{SONGS}/{song_id}/lyrics", data=LRC.encode())
    assert status == 200
    assert [[w["text"] for w in line["words"]] for line in sung["parts"][0]["lines"]] == [
        ["first ", "line "],
        ["second ", "line "],
    ]
    assert sung["parts"][0]["notes"] == part["notes"]
    async with server.get(f"{SONGS}/{song_id}/ultrastar") as answer:
        written = await answer.text()
    assert "#TITLE:A tune" in written
    assert "line" in written

    status, sung = await ask(server, "PUT", f"{SONGS}/{song_id}/lyrics", data=ULTRASTAR.encode("utf-16"))
    assert [note["kind"] for note in sung["parts"][0]["notes"]] == ["normal", "golden"]
    for bad, why in ((b"la la la", "neither"), (b"x" * (MOST_BYTES + 1), "kB"), (b"[00:01.00]a\0", "not text")):
        status, refused = await ask(server, "PUT", f"{SONGS}/{song_id}/lyrics", data=bad)
        assert (status, refused["error"]) == (400, "bad_lyrics")
        assert why in refused["message"]
    _, sung = await ask(server, "GET", f"{SONGS}/{song_id}")
    assert len(sung["parts"][0]["notes"]) == 2  # what was there before is
    _, sung = await ask(server, "DELETE", f"{SONGS}/{song_id}/lyrics")
    assert sung["parts"] == document["parts"]

    _, listed = await ask(server, "GET", SONGS, params={"user_id": "ann"})
    assert [one["song_id"] for one in listed["songs"]] == [song_id]
    _, conversions = await ask(server, "GET", "/api/v1/convert/jobs", params={"user_id": "ann"})
    assert conversions["conversions"] == []
    status, _ = await ask(server, "DELETE", f"{SONGS}/{song_id}")
    assert status == 200
    assert (await ask(server, "GET", f"{SONGS}/{song_id}"))[0] == 404
    assert not (server.app[CURRENT].settings.storage.results_dir / song_id).exists()


async def test_a_conversion_becomes_a_stage_of_its_song(idle: Client, tmp_path: Path) -> None:
    source = write_song(tmp_path / "song.flac", 3.0)
    data = form(source, target_profile_id="otto", user_id="ann")
    async with idle.post("/api/v1/convert/song", data=data) as answer:
        conversion = (await answer.json())["conversion_id"]
    wanted = {"conversion_id": conversion, "title": "Ours", "user_id": "ann"}
    status, made = await ask(idle, "POST", SONGS, json=wanted)
    assert (status, made["title"]) == (202, "Ours")
    results = idle.app[CURRENT].settings.storage.results_dir
    assert (results / made["song_id"] / "upload").read_bytes() == source.read_bytes()
    for given, code in (({}, "missing_required_field"), ({"conversion_id": "conv-x"}, "conversion_not_found")):
        status, refused = await ask(idle, "POST", SONGS, json=given)
        assert refused["error"] == code
    assert len(list(results.iterdir())) == 2  # nothing is left of what was refused


async def test_what_cannot_be_had_is_said(idle: Client, tmp_path: Path) -> None:
    song_id = await submit(idle, write_song(tmp_path / "song.flac", 3.0), user_id="ann")
    for path, method in (("audio/guide", "GET"), ("lyrics", "PUT"), ("ultrastar", "GET")):
        status, refused = await ask(idle, method, f"{SONGS}/{song_id}/{path}")
        assert (status, refused["error"]) == (409, "conversion_incomplete")
    status, refused = await ask(idle, "GET", f"{SONGS}/{song_id}", params={"user_id": "bob"})
    assert (status, refused["error"]) == (403, "unauthorized")
    assert (await ask(idle, "GET", f"{SONGS}/stage-x"))[0] == 404
    assert (await ask(idle, "GET", SONGS))[1]["error"] == "missing_parameter"
    assert (await ask(idle, "POST", SONGS, data=form(b"rubbish")))[0] == 400
    status, refused = await ask(idle, "POST", SONGS, data=form(b"", preset="best"))
    assert refused["error"] == "invalid_parameter"
    status, _ = await ask(idle, "DELETE", f"{SONGS}/{song_id}")
    assert status == 200
    _, listed = await ask(idle, "GET", SONGS, params={"user_id": "ann"})
    assert listed["songs"] == []


async def test_a_track_is_asked_for_within_bounds(server: Client, tmp_path: Path) -> None:
    document = await ready(server, await submit(server, write_song(tmp_path / "song.flac", 2.0), preset="fast"))
    for query in ("semitones=7", "tempo=151", "tempo=1e2", "semitones=0.5"):
        status, refused = await ask(server, "GET", f"{document['guide_url']}?{query}")
        assert (status, refused["error"]) == (400, "invalid_parameter")
    status, refused = await ask(server, "GET", document["guide_url"].replace("guide", "drums"))
    assert (status, refused["error"]) == (404, "file_not_found")
