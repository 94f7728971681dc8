"""The files of a take, to the sample, and the take sung again by the real worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auto_voice.web.current import CURRENT
from pipeline import io
from tests.auto_voice.web.conftest import Client, Serve
from tests.auto_voice.web.takes import (
    CLICKS,
    FRAMES,
    RATE,
    TAKES,
    ask,
    fetch,
    rendered,
    send,
    whole,
    write_stage,
)

TRACKS = ("voice", "dry", "accompaniment", "mix")


@pytest.fixture
def song_id(tmp_path: Path) -> str:
    return write_stage(tmp_path)


@pytest.fixture
async def server(serve: Serve, song_id: str, models_dir: Path) -> Client:
    return await serve(STORAGE__MODELS_DIR=str(models_dir), LIMITS__CONCURRENT_CONVERSIONS="1")


def clicked() -> bytes:
    """Silence with the clicks of the song, as a microphone in time with it would hear them."""
    samples = np.zeros(FRAMES, "<i2")
    samples[list(CLICKS)] = 16_000
    return samples.tobytes()


def clicks_in(sound: np.ndarray) -> list[int]:
    """The loudest sample around each place where a click belongs."""
    mono = np.abs(sound.mean(0))
    return [place - 1000 + int(mono[place - 1000 : place + 1000].argmax()) for place in CLICKS]


async def test_all_files_line_up_to_the_sample(server: Client, song_id: str) -> None:
    take_id = await whole(server, song_id, clicked(), clicked(), voice_volume=0.5, track_volume=0.8)
    for suffix in ("wav", "flac", "mp3"):
        for track in TRACKS:
            sound = await fetch(server, take_id, track, suffix)
            assert sound.shape[1] == FRAMES, (suffix, track)
            assert clicks_in(sound) == [*CLICKS], (suffix, track)
    voice, band = await fetch(server, take_id, "voice"), await fetch(server, take_id, "accompaniment")
    mix = await fetch(server, take_id, "mix")
    assert np.abs(mix - (0.5**2 * voice + 0.8**2 * band)).max() < 1e-3
    async with server.get(f"{TAKES}/{take_id}/audio/mix", headers={"Range": "bytes=0-3"}) as answer:
        assert (answer.status, answer.content_type) == (206, "audio/flac")
        assert await answer.read() == b"fLaC"
    for query, code in (("format=ogg", "invalid_parameter"), ("rendition=quality", "file_not_found")):
        assert (await ask(server, "GET", f"{TAKES}/{take_id}/audio/mix?{query}"))[1]["error"] == code
    assert (await ask(server, "GET", f"{TAKES}/{take_id}/audio/drums"))[1]["error"] == "file_not_found"


async def test_a_mix_that_the_page_has_sent_is_the_mix(server: Client, song_id: str) -> None:
    sent = np.random.default_rng(1).integers(-9000, 9000, 2 * FRAMES).astype("<i2")
    take_id = await whole(server, song_id, clicked(), clicked(), sent.tobytes())
    mix = await fetch(server, take_id, "mix")
    assert np.abs(mix.T.reshape(-1) * 32768 - sent).max() <= 1


async def test_a_take_is_mixed_again(server: Client, song_id: str) -> None:
    first, second = (
        np.random.default_rng(seed).integers(-9000, 9000, 2 * FRAMES).astype("<i2") for seed in (1, 2)
    )
    take_id = await whole(server, song_id, clicked(), clicked(), first.tobytes())
    await fetch(server, take_id, "mix", "mp3")
    path = f"{TAKES}/{take_id}"
    status, refused = await send(server, take_id, "mix", second.tobytes()[:4000])
    assert (status, refused["error"]) == (409, "chunk_conflict")
    given = {"voice_volume": 0.5, "track_volume": 0.5, "effects": {"reverb": 0.5, "room": "hall"}}
    status, take = await ask(server, "PATCH", path, json=given)
    assert (status, take["received"]) == (200, {"mix": 0})
    assert {name: take[name] for name in given} == given
    voice, band = await fetch(server, take_id, "voice"), await fetch(server, take_id, "accompaniment")
    plain = await fetch(server, take_id, "mix")  # until there is another
    assert np.abs(plain - 0.25 * (voice + band)).max() < 1e-3
    half = len(second) // 4 * 4
    assert (await send(server, take_id, "mix", second.tobytes()[:half]))[0] == 200
    assert np.abs(await fetch(server, take_id, "mix") - plain).max() == 0  # half of one is none
    for start in range(half, 2 * len(second), 1 << 20):
        assert (await send(server, take_id, "mix", second.tobytes()[start:][: 1 << 20], start // 4))[0] == 200
    mix = await fetch(server, take_id, "mix")
    assert np.abs(mix.T.reshape(-1) * 32768 - second).max() <= 1
    status, refused = await send(server, take_id, "mix", bytes(4), FRAMES)
    assert (status, refused["error"]) == (400, "invalid_audio_duration")
    for body, code in (({}, "missing_required_field"), ({"voice_volume": 2}, "invalid_parameter")):
        assert (await ask(server, "PATCH", path, json=body))[1]["error"] == code
    for track in ("dry", "voice"):
        assert (await send(server, take_id, track, b"\0\0", FRAMES))[1]["error"] == "take_finished"


async def test_the_accompaniment_is_that_of_the_key_and_tempo(server: Client, song_id: str) -> None:
    take_id = await whole(server, song_id, clicked(), clicked(), tempo=120, semitones=2)
    _, take = await ask(server, "GET", f"{TAKES}/{take_id}")
    assert take["frames"] == round(6.0 / 1.2 * RATE)
    band = await fetch(server, take_id, "accompaniment")
    assert band.shape[1] == take["frames"]
    spectrum = np.abs(np.fft.rfft(band[0, RATE : 3 * RATE] * np.hanning(2 * RATE)))
    assert spectrum[100:300].argmax() / 2 + 50 == pytest.approx(110 * 2 ** (2 / 12), abs=2)


def lag_of(dry: np.ndarray, voice: np.ndarray) -> int:
    """By how many samples a voice is late: the peak of their cross-correlation, whitened."""
    size = 1 << (2 * len(dry)).bit_length()
    cross = np.fft.rfft(voice, size) * np.conj(np.fft.rfft(dry, size))
    likeness = np.fft.irfft(cross / (np.abs(cross) + 1e-9), size)
    return int(np.argmax(np.roll(likeness, 4800)[:9600])) - 4800


async def test_a_take_sung_again_is_in_time(server: Client, song_id: str, recordings: Path) -> None:
    found = io.decode(
        recordings / "singing" / "vocadito" / "vocadito_10.flac", sample_rate=RATE, max_seconds=60
    )
    dry = found.samples[3 * RATE :][:FRAMES]
    assert len(dry) == FRAMES
    data = (np.clip(dry, -1, 1) * 32767).astype("<i2").tobytes()
    take_id = await whole(server, song_id, data, bytes(2 * FRAMES), track_volume=0.5)
    path = f"{TAKES}/{take_id}"
    status, refused = await ask(server, "POST", f"{path}/render", json={"voice": "nobody"})
    assert (status, refused["error"]) == (404, "profile_not_found")
    status, take = await ask(server, "POST", f"{path}/render", json={"voice": "clara"})
    assert (status, take["rendition"]["voice"]) == (202, "clara")
    assert (await ask(server, "GET", f"{path}/audio/voice?rendition=quality"))[0] in (200, 409)
    take = await rendered(server, take_id)
    assert take["rendition"]["status"] == "completed", take

    first = await fetch(server, take_id, "voice", rendition="quality")
    status, take = await ask(server, "POST", f"{path}/render")  # now in its own voice
    assert take["rendition"]["voice"] == "otto"
    take = await rendered(server, take_id)
    results = server.app[CURRENT].settings.storage.results_dir
    assert len(list(results.glob("render-*"))) == 1  # nothing is left of the one before
    voice = await fetch(server, take_id, "voice", rendition="quality")
    assert voice.shape == first.shape == (1, FRAMES)
    assert np.abs(voice - first).max() > 0.05
    for sound in (voice[0], first[0]):
        assert abs(lag_of(dry, sound)) <= 1
        assert np.std(sound) == pytest.approx(np.std(dry), rel=0.5)
    mix = await fetch(server, take_id, "mix", rendition="quality")
    band = await fetch(server, take_id, "accompaniment", rendition="quality")
    assert mix.shape == band.shape == (2, FRAMES)
    assert np.abs(mix - (voice + 0.25 * band)).max() < 0.02  # a limiter below -1 dB changes nothing
    assert clicks_in(mix - voice) == [*CLICKS]

    sent = np.random.default_rng(1).integers(-9000, 9000, 2 * FRAMES).astype("<i2")
    for start in range(0, FRAMES, RATE):
        piece = sent[2 * start : 2 * (start + RATE)].tobytes()
        assert (await send(server, take_id, "mix", piece, start, rendition="quality"))[0] == 200
    with_effects = await fetch(server, take_id, "mix", rendition="quality")
    assert np.abs(with_effects.T.reshape(-1) * 32768 - sent).max() <= 1
    status, take = await ask(server, "PATCH", path, json={"track_volume": 0.8})
    assert (status, take["rendition"]["received"]) == (200, {"mix": 0})
    mix = await fetch(server, take_id, "mix", rendition="quality")
    assert np.abs(mix - (voice + 0.64 * band)).max() < 0.02
    assert (await ask(server, "DELETE", path))[0] == 200
    assert not list(results.glob("render-*")) + list(results.glob("take-*"))
