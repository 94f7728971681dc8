"""Decoding and pitch: the stages before and after separation."""

from pathlib import Path

import numpy as np
import pytest

from pipeline import io
from pipeline.errors import AudioTooShort, InvalidAudio, InvalidDuration, PoorQuality
from pipeline.pitch.trackers import open_tracker
from pipeline.song.decode import decode_song
from pipeline.song.pitch import track_pitch
from pipeline.song.report import silent
from pipeline.synthetic import sing, vibrato
from tests.pipeline.song.conftest import MakeTrack

RATE = 44_100


def decode(source: Path, target: Path, **limits: float) -> tuple[object, object]:
    return decode_song(
        source, target, RATE, silent, max_seconds=limits.get("max_seconds", 60), max_bytes=10 * 2**20
    )


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg"])
@pytest.mark.parametrize("rate", [22_050, 48_000])
def test_any_song_becomes_a_stereo_track(suffix: str, rate: int, tmp_path: Path) -> None:
    if suffix == ".ogg" and rate != 48_000:
        pytest.skip("Opus is always at 48 kHz")
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(3 * rate) / rate)
    io.encode(tmp_path / f"a{suffix}", np.stack([tone, 0.5 * tone]).astype(np.float32), rate)
    track, info = decode_song(
        tmp_path / f"a{suffix}", tmp_path / "t.wav", RATE, silent, max_seconds=60, max_bytes=10**8
    )
    assert (track.channels, track.sample_rate) == (2, RATE)
    assert track.seconds == pytest.approx(3.0, abs=0.08)
    assert info.sample_rate == rate
    middle = track.read(RATE, RATE)
    assert middle.std(1) == pytest.approx([0.283, 0.141], rel=0.06)
    assert np.abs(np.fft.rfft(middle[0])).argmax() == 440


def test_what_is_no_song_is_refused(tmp_path: Path) -> None:
    source, target = tmp_path / "a.wav", tmp_path / "t.wav"
    for sound, problem in (
        (np.zeros(3 * RATE), PoorQuality),
        (np.full(RATE // 2, 0.5), AudioTooShort),
        (0.1 * np.random.default_rng(1).standard_normal(5 * RATE), InvalidDuration),
    ):
        io.encode(source, sound.astype(np.float32), RATE)
        with pytest.raises(problem):
            decode(source, target, max_seconds=4)
    source.write_bytes(b"")
    with pytest.raises(InvalidAudio):
        decode(source, target)


def test_the_melody_of_a_long_track_is_that_of_its_parts(make_track: MakeTrack, models_dir: Path) -> None:
    line = np.concatenate([vibrato(hz, 10.0, RATE) for hz in (220, 330, 165, 262, 196)])
    sound = sing(line, RATE, np.random.default_rng(1))
    seen: list[float] = []
    melody = track_pitch(make_track(np.stack([sound, sound])), open_tracker("swiftf0", models_dir), seen.append)
    times = np.arange(len(melody.f0_hz)) * 0.016
    truth = np.interp(times, np.arange(len(line)) / RATE, line)
    voiced = melody.f0_hz > 0
    assert voiced.mean() > 0.95
    cents = 1200 * np.abs(np.log2(melody.f0_hz[voiced] / truth[voiced]))
    assert np.median(cents) < 15
    assert (cents > 100).mean() < 0.02
    assert melody.is_sung
    assert seen[-1] == 1.0
    assert seen == sorted(seen)


def test_what_is_not_sung_is_known(make_track: MakeTrack, models_dir: Path) -> None:
    t = np.arange(10 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * hz * t) for hz in (220, 277, 330)) * 0.1
    noise = 0.1 * np.random.default_rng(1).standard_normal(10 * RATE)
    for sound in (chord, noise, np.zeros(10 * RATE)):
        melody = track_pitch(make_track(np.stack([sound, sound])), open_tracker("swiftf0", models_dir), silent)
        assert not melody.is_sung
