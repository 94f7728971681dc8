import numpy as np
import pytest

from pipeline.song.image import SIZE, ImageTransfer
from pipeline.synthetic import sing, vibrato

RATE = 44_100


def voice(seconds: float = 2.0) -> np.ndarray:
    return sing(vibrato(200, seconds, RATE), RATE, np.random.default_rng(1))


def transfer(original: np.ndarray, sound: np.ndarray, block: int = 3000) -> np.ndarray:
    image = ImageTransfer(RATE)
    pad = np.zeros((2, SIZE), np.float32)
    original = np.concatenate((original, pad), 1).astype(np.float32)
    sound = np.concatenate((sound, pad[0])).astype(np.float32)
    parts = [image.push(original[:, s : s + block], sound[s : s + block]) for s in range(0, len(sound), block)]
    return np.concatenate(parts, 1)[:, SIZE:]


def balance_db(stereo: np.ndarray) -> float:
    left, right = (stereo[:, RATE // 2 :].astype(float) ** 2).mean(1)
    return float(10 * np.log10(left / right))


def test_a_voice_in_the_middle_stays_there_untouched() -> None:
    sound = voice()
    out = transfer(np.stack([sound, sound]), sound)
    assert np.abs(out - sound).max() < 1e-4


@pytest.mark.parametrize("left", [1.5, 0.3])
def test_a_voice_at_the_side_stays_at_the_side(left: float) -> None:
    original = np.stack([left * voice(), (2 - left) * voice()])
    other = sing(vibrato(150, 2.0, RATE), RATE, np.random.default_rng(5))
    assert balance_db(transfer(original, other)) == pytest.approx(balance_db(original), abs=1.0)


def width_db(stereo: np.ndarray) -> float:
    """Side against mid from 2 to 15 kHz, where the reverberation is."""
    mid, side = (np.abs(np.fft.rfft(stereo[0] + sign * stereo[1])) ** 2 for sign in (1, -1))
    hz = np.fft.rfftfreq(stereo.shape[1], 1 / RATE)
    band = (hz > 2000) & (hz < 15_000)
    return float(10 * np.log10(side[band].sum() / mid[band].sum()))


def test_a_wide_voice_stays_wide() -> None:
    rng = np.random.default_rng(3)
    reverberant = voice() + 0.5 * rng.standard_normal((2, 2 * RATE)) * np.abs(voice())
    out = transfer(reverberant, voice())
    assert width_db(out) == pytest.approx(width_db(reverberant), abs=4)
    assert width_db(transfer(np.stack([voice()] * 2), voice())) < -60


def test_blocks_do_not_matter() -> None:
    original = np.random.default_rng(1).standard_normal((2, RATE)).astype(np.float32)
    assert np.abs(transfer(original, voice(1.0), 77) - transfer(original, voice(1.0), 40_000)).max() < 1e-5
