import numpy as np

from pipeline.synthetic import glide, rest, sing, vibrato

RATE = 48_000


def test_the_pitch_is_as_asked() -> None:
    audio = sing(np.full(RATE, 220, np.float32), RATE, np.random.default_rng(1), breath_db=-80)
    spectrum = np.abs(np.fft.rfft(audio))
    peaks = np.flatnonzero(spectrum > 0.05 * spectrum.max())
    assert (np.abs(peaks - 220 * np.round(peaks / 220)) < 3).all()


def test_level_and_noise_are_as_asked() -> None:
    line = vibrato(200, 1.0, RATE)
    clean = sing(line, RATE, np.random.default_rng(1), breath_db=-100)
    noisy = sing(line, RATE, np.random.default_rng(1), breath_db=-100, snr_db=10)
    assert abs(np.sqrt(np.mean(clean**2)) - 0.2) < 0.01
    assert abs(10 * np.log10(np.mean(clean**2) / np.mean((noisy - clean) ** 2)) - 10) < 0.5


def test_rests_are_silent_and_glides_rise() -> None:
    audio = sing(rest(0.5, RATE), RATE, np.random.default_rng(1))
    assert np.abs(audio).max() < 1e-6
    line = glide(100, 400, 1.0, RATE)
    assert (np.diff(line) > 0).all()
    assert abs(line[len(line) // 2] - 200) < 1


def test_one_seed_one_song() -> None:
    line = vibrato(300, 0.3, RATE)
    one, two = (sing(line, RATE, np.random.default_rng(7), snr_db=20) for _ in range(2))
    assert np.array_equal(one, two)
