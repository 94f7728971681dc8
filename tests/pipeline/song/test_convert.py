from pathlib import Path

import numpy as np
import pytest

from auto_voice.storage.profiles import BUILTIN
from pipeline.converters.base import Controls
from pipeline.converters.classic import Classic
from pipeline.converters.native import Native
from pipeline.converters.passthrough import PassThrough
from pipeline.song.convert import convert_vocals, whole_octaves
from pipeline.song.pitch import Melody
from pipeline.song.report import Cancelled, silent
from pipeline.synthetic import sing, vibrato
from pipeline.voice_file import load_voice
from tests.pipeline.song.conftest import MakeTrack

RATE = 44_100
OTTO = load_voice(BUILTIN / "otto.safetensors")


def vocals(seconds: float = 3.3) -> np.ndarray:
    return np.stack([sing(vibrato(220, seconds, RATE), RATE, np.random.default_rng(1))] * 2)


@pytest.mark.parametrize("converter", [Classic(480), Native(480), PassThrough()], ids=lambda c: c.name)
def test_dry_vocals_come_back_aligned_to_the_sample(
    converter: Classic, make_track: MakeTrack, tmp_path: Path
) -> None:
    track = make_track(vocals())
    out = convert_vocals(
        track, tmp_path / "out.wav", converter, OTTO, Controls(dry_wet=0.0, gate_db=-100), silent
    )
    assert out.frames == track.frames
    before, after = track.read(RATE // 4, 2 * RATE), out.read(RATE // 4, 2 * RATE)
    assert 20 * np.log10(np.std(after - before) / np.std(before)) < -40  # twice through the resampler


def test_the_voice_is_moved_and_the_image_kept(make_track: MakeTrack, tmp_path: Path) -> None:
    sound = vocals() * np.array([[1.0], [0.25]])
    track = make_track(sound)
    controls = Controls(pitch_semitones=-12, auto_pitch=False)
    out = convert_vocals(track, tmp_path / "out.wav", Classic(480), OTTO, controls, silent).read(RATE, 2 * RATE)
    spectrum = np.abs(np.fft.rfft(out[0] * np.hanning(out.shape[1])))
    hz = np.fft.rfftfreq(out.shape[1], 1 / RATE)
    assert abs(hz[spectrum[:2000].argmax()] / 110 - round(hz[spectrum[:2000].argmax()] / 110)) < 0.05
    assert spectrum[(hz > 100) & (hz < 120)].max() > 0.02 * spectrum.max()
    assert 10 * np.log10((out[0] ** 2).mean() / (out[1] ** 2).mean()) == pytest.approx(12, abs=1.5)


def test_it_reports_and_stops_when_told(make_track: MakeTrack, tmp_path: Path) -> None:
    seen: list[float] = []

    def stop(fraction: float) -> None:
        seen.append(fraction)
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        convert_vocals(make_track(vocals(5.0)), tmp_path / "out.wav", Classic(480), OTTO, Controls(), stop)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("sung", "target", "octaves"), [(220, 200, 0), (300, 200, 0), (330, 110, -2), (330, 130, -1), (110, 220, 1)]
)
def test_songs_move_by_whole_octaves_when_far(sung: float, target: float, octaves: int) -> None:
    f0 = np.array([0, sung, sung * 1.02, sung * 0.98, 0], np.float32)
    assert whole_octaves(f0, target) == octaves
    assert whole_octaves(np.zeros(5, np.float32), target) == 0


def test_a_known_melody_leads_the_converter(make_track: MakeTrack, tmp_path: Path) -> None:
    """Told that nothing is voiced, the converter leaves all pitch as it is; told the truth, it moves it."""
    track = make_track(vocals(3.0))
    frames = int(3.0 / 0.016) + 1
    controls = Controls(pitch_semitones=-12, auto_pitch=False)
    found = {}
    for hz in (0.0, 220.0):
        melody = Melody(np.full(frames, hz, np.float32), np.full(frames, 1.0, np.float32))
        out = convert_vocals(track, tmp_path / "out.wav", Classic(480), OTTO, controls, silent, melody)
        assert out.frames == track.frames
        sound = out.read(RATE, RATE)[0]
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(RATE)))
        found[hz] = spectrum[100:121].max() / spectrum[210:231].max()
    assert found[220.0] > 5 * found[0.0]


def test_a_melody_is_read_between_its_frames() -> None:
    melody = Melody(np.array([0, 200, 220, 440, 0], np.float32), np.ones(5, np.float32))
    at = melody.at(np.array([-1.0, 0.004, 0.016, 0.024, 0.036, 0.044, 0.1]))
    assert at == pytest.approx([0, 0, 200, (200 * 220) ** 0.5, 220, 440, 0], rel=1e-3)
