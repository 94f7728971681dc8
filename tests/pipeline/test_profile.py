from pathlib import Path

import numpy as np
import pytest

from pipeline import io
from pipeline.errors import AudioTooShort, InvalidDuration, PoorQuality
from pipeline.profile import ProfileMeasurement, make_voice, note_name, quality_score
from pipeline.speaker import SpeakerEncoder
from pipeline.synthetic import rest, sing, vibrato
from pipeline.voice_file import load_voice, save_voice

RATE = 48_000


@pytest.fixture(scope="module")
def encoder(models_dir: Path) -> SpeakerEncoder:
    return SpeakerEncoder(models_dir / "resemblyzer-0.1.4.pt")


def melody(seconds: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    line = [
        np.concatenate([vibrato(float(hz), 0.8, RATE), rest(0.2, RATE)]) for hz in rng.uniform(180, 330, 200)
    ]
    return sing(np.concatenate(line)[: int(seconds * RATE)], RATE, rng)


def make(audio: np.ndarray, encoder: SpeakerEncoder, models_dir: Path) -> ProfileMeasurement:
    return make_voice(audio, RATE, encoder=encoder, pitch_model=models_dir / "swift-f0-0.3.0.onnx", name="Test")


def test_measures_a_real_voice(
    encoder: SpeakerEncoder, models_dir: Path, recordings: Path, tmp_path: Path
) -> None:
    files = sorted((recordings / "speech" / "librispeech" / "2414").glob("*.flac"))
    audio = np.concatenate([io.decode(f, sample_rate=RATE, max_seconds=60).samples for f in files])
    made = make(audio[: 60 * RATE], encoder, models_dir)
    assert 100 < made.vocal_range["median_pitch_hz"] < 140
    assert made.vocal_range["min_note"] == note_name(made.vocal_range["min_pitch_hz"])
    assert made.quality_metrics["snr_db"] > 20
    assert 7000 < made.voice.timbre.bandwidth_hz < 9000
    assert made.voice.timbre.by_pitch_seconds.sum() > 5
    assert "more than one speaker" not in " ".join(made.warnings)
    save_voice(tmp_path / "voice.safetensors", made.voice)
    again = load_voice(tmp_path / "voice.safetensors")
    assert again.name == "Test"
    assert np.array_equal(again.timbre.classes, made.voice.timbre.classes)


def test_two_speakers_are_suspected(encoder: SpeakerEncoder, models_dir: Path, recordings: Path) -> None:
    parts = []
    for speaker in ("1998", "2414"):
        files = sorted((recordings / "speech" / "librispeech" / speaker).glob("*.flac"))[:5]
        parts += [io.decode(f, sample_rate=RATE, max_seconds=60).samples for f in files]
    made = make(np.concatenate(parts)[: 100 * RATE], encoder, models_dir)
    assert "more than one speaker" in " ".join(made.warnings)


def test_too_short_too_long_and_silence_do_not_count(encoder: SpeakerEncoder, models_dir: Path) -> None:
    padded = np.concatenate([np.zeros(20 * RATE, np.float32), melody(15), np.zeros(20 * RATE, np.float32)])
    with pytest.raises(AudioTooShort, match="30 s are needed"):
        make(padded, encoder, models_dir)
    with pytest.raises(AudioTooShort):
        make(np.zeros(40 * RATE, np.float32), encoder, models_dir)
    with pytest.raises(InvalidDuration):
        make(melody(130), encoder, models_dir)


def test_noise_and_clipping_are_refused(encoder: SpeakerEncoder, models_dir: Path) -> None:
    noise = np.random.default_rng(1).standard_normal(35 * RATE).astype(np.float32) * 0.1
    with pytest.raises(PoorQuality, match="voice"):
        make(noise, encoder, models_dir)
    with pytest.raises(PoorQuality, match="clipped"):
        make(np.clip(melody(35) * 20, -1, 1), encoder, models_dir)


def test_the_score_is_as_documented() -> None:
    assert quality_score(35, 0, 20) == 1
    assert quality_score(20, 0, 10) == pytest.approx(0.25 + 0.15 + 0.2)
    assert quality_score(0, 1, 0) == 0


@pytest.mark.parametrize(("hz", "name"), [(440, "A4"), (261.63, "C4"), (277.2, "C♯4"), (82.4, "E2")])
def test_notes_have_their_names(hz: float, name: str) -> None:
    assert note_name(hz) == name


def test_damaged_voice_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "voice.safetensors"
    for content in (b"", b"garbage", b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="voice file"):
            load_voice(path)
