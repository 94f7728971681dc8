from pathlib import Path

import numpy as np
import pytest

from bench.melodies import RATE as SONG_RATE
from bench.melodies import make_song
from pipeline.karaoke.analysis import analyse, loudness_db
from pipeline.karaoke.music import RATE, find_key, find_tempo, mono
from pipeline.pitch import offline
from pipeline.pitch.trackers import open_tracker
from pipeline.song.pitch import Melody, track_pitch
from pipeline.song.track import Track, TrackWriter


def track(path: Path, sound: np.ndarray, sample_rate: int = SONG_RATE) -> Track:
    with TrackWriter(path, sample_rate, len(sound)) as writer:
        writer.append(np.asarray(sound, np.float32))
    return Track(path)


def clicks(bpm: float, first_s: float, seconds: float) -> np.ndarray:
    sound = np.zeros(int(seconds * RATE), np.float32)
    hit = np.random.default_rng(1).standard_normal(1000) * np.exp(-np.arange(1000) / 200)
    for at in np.arange(first_s, seconds - 0.1, 60 / bpm):
        sound[int(at * RATE) : int(at * RATE) + 1000] = 0.2 * hit
    return sound


@pytest.mark.parametrize("bpm", [93.0, 120.0, 141.0])
def test_a_steady_beat_is_found_to_a_fraction(bpm: float) -> None:
    tempo = find_tempo(clicks(bpm, 0.5, 20))
    assert tempo is not None
    assert tempo.bpm == pytest.approx(bpm, rel=0.003)


def test_a_cadence_says_its_key() -> None:
    t = np.arange(RATE) / RATE
    chords = [(0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)]
    sound = [np.sum([np.sin(2 * np.pi * 440 * 2 ** ((tone - 7) / 12) * t) for tone in c], 0) for c in chords]
    key = find_key(np.concatenate(sound).astype(np.float32) * 0.1)  # D major
    assert key is not None
    assert key.name == "D major"


def test_silence_has_neither() -> None:
    assert find_key(np.zeros(5 * RATE, np.float32)) is None
    assert find_tempo(np.zeros(5 * RATE, np.float32)) is None
    assert find_tempo(np.zeros(0, np.float32)) is None


def test_tracks_are_added_and_resampled_whole(tmp_path: Path) -> None:
    t = np.arange(31 * SONG_RATE) / SONG_RATE
    tone = 0.1 * np.sin(2 * np.pi * 440 * t)
    found = mono([track(tmp_path / f"{i}.wav", np.stack([tone, tone])) for i in range(2)])
    assert len(found) == pytest.approx(31 * RATE, abs=2)
    expected = 0.2 * np.sin(2 * np.pi * 440 * np.arange(len(found)) / RATE)
    assert np.allclose(found[RATE:-RATE], expected[RATE:-RATE], atol=0.01)


def test_loudness_has_the_frames_of_the_pitch(tmp_path: Path) -> None:
    sound = np.zeros((1, 10 * SONG_RATE))
    sound[:, 4 * SONG_RATE : 5 * SONG_RATE] = 0.1
    found = loudness_db(track(tmp_path / "x.wav", sound), int(10 / offline.HOP_S) + 1)
    loud = np.flatnonzero(found > -21)
    assert loud[0] * offline.HOP_S == pytest.approx(4, abs=0.02)
    assert loud[-1] * offline.HOP_S == pytest.approx(5, abs=0.02)
    assert found[0] == -120


def test_the_notes_of_a_song_without_a_band_are_found(tmp_path: Path, models_dir: Path) -> None:
    song = make_song(3, 12.0)
    vocals, band = track(tmp_path / "v.wav", song.voice), track(tmp_path / "b.wav", song.band)
    melody = track_pitch(vocals, open_tracker("swiftf0", models_dir), lambda part: None)
    told: list[float] = []
    found = analyse(vocals, band, melody, told.append)
    near = [
        any(
            abs(note.start_s - other.start_s) < 0.1 and note.pitch == other.pitch for other in found.chart.notes
        )
        for note in song.notes
    ]
    assert np.mean(near) > 0.8
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert found.chart.lines


def test_a_song_that_nobody_sings_has_no_notes(tmp_path: Path) -> None:
    band = track(tmp_path / "b.wav", make_song(3, 5.0).band)
    frames = int(5 / offline.HOP_S) + 1
    melody = Melody(np.full(frames, 220, np.float32), np.full(frames, 0.5, np.float32))  # leakage, never sure
    assert analyse(band, band, melody, lambda part: None).chart.notes == ()
