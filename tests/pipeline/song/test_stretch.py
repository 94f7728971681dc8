import numpy as np
import pytest

from pipeline.song.stretch import SEGMENT_S, stretched
from tests.pipeline.song.conftest import MakeTrack

RATE = 44_100
BLOCK = 65_536


def move(make_track: MakeTrack, sound: np.ndarray, semitones: float, tempo: float = 1.0) -> np.ndarray:
    blocks = list(stretched(make_track(sound), semitones, tempo, BLOCK))
    assert all(block.shape[1] == BLOCK for block in blocks[:-1])
    return np.concatenate(blocks, 1)


@pytest.mark.parametrize("semitones", [-5.0, 3.0])
def test_a_click_stays_where_it_was(semitones: float, make_track: MakeTrack) -> None:
    clicks = np.zeros((2, 3 * RATE))
    clicks[:, RATE : RATE + 400] = np.random.default_rng(1).standard_normal(400) * 0.5
    out = move(make_track, clicks, semitones)
    assert out.shape == clicks.shape
    centre = (np.arange(out.shape[1]) * (out[0] ** 2)).sum() / (out[0] ** 2).sum()
    assert abs(centre - RATE - 200) < 0.01 * RATE


def test_segments_have_no_seams(make_track: MakeTrack) -> None:
    t = np.arange(int((2 * SEGMENT_S + 3) * RATE)) / RATE
    noise = np.random.default_rng(2).standard_normal(len(t)) * 0.02
    sound = np.stack([0.2 * np.sin(2 * np.pi * 220 * t) + noise, 0.2 * np.sin(2 * np.pi * 330 * t) + noise])
    out = move(make_track, sound, 4.0)
    assert out.shape == sound.shape
    level = np.sqrt((out[0, : len(t) // 441 * 441].reshape(-1, 441) ** 2).mean(1))[100:-100]
    assert level.min() > 0.6 * np.median(level)
    assert level.max() < 1.5 * np.median(level)


def test_nothing_asked_is_nothing_changed(make_track: MakeTrack) -> None:
    sound = np.random.default_rng(1).standard_normal((2, 100_000)).astype(np.float32)
    assert np.array_equal(move(make_track, sound, 0.0), sound)


@pytest.mark.parametrize("tempo", [0.5, 0.8, 1.3, 1.5])
def test_every_instant_is_where_the_tempo_puts_it(tempo: float, make_track: MakeTrack) -> None:
    times = np.arange(1, int(2 * SEGMENT_S), 1.7)  # over two seams
    clicks = np.zeros((1, int(2 * SEGMENT_S + 2) * RATE))
    for time in times:
        clicks[0, round(time * RATE) : round(time * RATE) + 64] = np.hanning(64)
    out = move(make_track, clicks, 0.0, tempo)[0]
    assert len(out) == round(clicks.shape[1] / tempo)
    for time in times:
        middle = round((time * RATE + 32) / tempo)
        around = out[middle - 4000 : middle + 4000] ** 2
        centre = (np.arange(8000) * around).sum() / around.sum() - 4000
        assert abs(centre) < 0.0015 * RATE


def test_the_pitch_stays_when_the_tempo_changes(make_track: MakeTrack) -> None:
    t = np.arange(5 * RATE) / RATE
    out = move(make_track, 0.2 * np.sin(2 * np.pi * 220 * t)[None], 0.0, 0.75)[0]
    spectrum = np.abs(np.fft.rfft(out[RATE : 5 * RATE] * np.hanning(4 * RATE)))
    assert abs(int(spectrum.argmax()) / 4 - 220) < 0.5
