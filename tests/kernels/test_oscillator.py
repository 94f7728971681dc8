import numpy as np

from kernels.oscillator import harmonics

RATE = 48_000.0


def play(f0: np.ndarray, amplitudes: list[float], blocks: int) -> np.ndarray:
    phase, out = np.zeros(1), np.zeros(len(f0), np.float32)
    for place in np.array_split(np.arange(len(f0)), blocks):
        harmonics(phase, f0[place], np.array(amplitudes, np.float32), RATE, out[place[0] : place[-1] + 1])
    return out


def test_phase_goes_on_across_blocks() -> None:
    f0 = np.geomspace(100, 900, 9600).astype(np.float32)
    assert np.abs(play(f0, [1, 0.5, 0.25], 1) - play(f0, [1, 0.5, 0.25], 41)).max() < 1e-6


def test_harmonics_have_their_frequencies_and_amplitudes() -> None:
    y = play(np.full(48_000, 440, np.float32), [0.5, 0.0, 0.25], 7)
    spectrum = np.abs(np.fft.rfft(y)) / 24_000
    assert abs(spectrum[440] - 0.5) < 1e-3
    assert abs(spectrum[1320] - 0.25) < 1e-3
    assert spectrum[880] < 1e-3


def test_nothing_aliases() -> None:
    y = play(np.full(48_000, 7000, np.float32), [1.0] * 10, 1)
    spectrum = np.abs(np.fft.rfft(y)) / 24_000
    spectrum[[7000, 14_000, 21_000]] = 0
    assert spectrum.max() < 1e-3


def test_no_pitch_is_silence() -> None:
    assert not play(np.zeros(480, np.float32), [1.0], 1).any()
