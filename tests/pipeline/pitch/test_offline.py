from pathlib import Path

import numpy as np

from pipeline.pitch import offline
from pipeline.synthetic import rest, sing, vibrato

RATE = 48_000


def test_tracks_a_voice_and_its_pauses(models_dir: Path) -> None:
    line = np.concatenate([vibrato(247, 1.0, RATE), rest(0.5, RATE), vibrato(131, 1.0, RATE)])
    track = offline.track(sing(line, RATE, np.random.default_rng(1)), RATE, models_dir / "swift-f0-0.3.0.onnx")
    truth = line[np.clip((track.times_s * RATE).astype(int), 0, len(line) - 1)]
    both = (track.f0_hz > 0) & (truth > 0)
    assert both.sum() > 0.95 * (truth > 0).sum()
    assert np.median(np.abs(1200 * np.log2(track.f0_hz[both] / truth[both]))) < 10
    assert ((track.confidence >= 0.5) == (track.f0_hz > 0)).all()
    assert not track.f0_hz[(track.times_s > 1.1) & (track.times_s < 1.4)].any()


def test_silence_and_next_to_nothing_have_no_pitch(models_dir: Path) -> None:
    model = models_dir / "swift-f0-0.3.0.onnx"
    assert not offline.track(np.zeros(RATE, np.float32), RATE, model).f0_hz.any()
    assert not offline.track(np.zeros(10, np.float32), RATE, model).f0_hz.any()
