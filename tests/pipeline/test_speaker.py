import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import io
from pipeline.errors import WeightsCorrupt
from pipeline.speaker import SAMPLE_RATE, SpeakerEncoder, without_silence


@pytest.fixture(scope="module")
def encoder(models_dir: Path) -> SpeakerEncoder:
    return SpeakerEncoder(models_dir / "resemblyzer-0.1.4.pt")


def test_tells_speakers_apart(encoder: SpeakerEncoder, recordings: Path) -> None:
    def voice(speaker: str, which: slice) -> np.ndarray:
        files = sorted((recordings / "speech" / "librispeech" / speaker).glob("*.flac"))[which]
        parts = [io.decode(f, sample_rate=SAMPLE_RATE, max_seconds=60).samples for f in files]
        return encoder.embed(np.concatenate(parts))

    one, again, other = voice("1998", slice(0, 4)), voice("1998", slice(4, 8)), voice("2414", slice(0, 4))
    assert one.shape == (256,)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert one @ again > 0.85
    assert one @ other < 0.75


def test_minds_level_and_silence_little(encoder: SpeakerEncoder, recordings: Path) -> None:
    file = next((recordings / "speech" / "ljspeech").glob("*.flac"))
    audio = io.decode(file, sample_rate=SAMPLE_RATE, max_seconds=60).samples
    quiet = np.concatenate([np.zeros(32_000, np.float32), audio * 0.01, np.zeros(32_000, np.float32)])
    assert encoder.embed(audio) @ encoder.embed(quiet) > 0.88  # the published encoder does hear the level


def test_short_and_silent_recordings_do_not_break_it(encoder: SpeakerEncoder) -> None:
    for length in (0, 100, 5000):
        assert np.isfinite(encoder.embed(np.zeros(length, np.float32))).all()


def test_pauses_are_cut() -> None:
    voice = np.random.default_rng(1).standard_normal(16_000).astype(np.float32)
    audio = np.concatenate([voice, np.zeros(48_000, np.float32), voice])
    assert 32_000 <= len(without_silence(audio)) < 40_000


def test_a_file_of_other_weights_is_refused_and_code_never_runs(tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    torch.save({"model_state": {"lstm.x": torch.zeros(1)}}, other)
    with pytest.raises(WeightsCorrupt):
        SpeakerEncoder(other)

    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, ("raise SystemExit('executed')",)

    other.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(WeightsCorrupt):
        SpeakerEncoder(other)
