"""Synthetic singing whose pitch is known to the sample, for tests, benchmarks and the doctor's self-test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.oscillator import harmonics

Float = NDArray[np.float32]

# (frequency, bandwidth) in Hz of four formants; Peterson and Barney, "Control methods used in a study of the
# vowels", JASA 24, 1952
VOWELS = {
    "a": ((730, 90), (1090, 110), (2440, 170), (3400, 250)),
    "i": ((270, 60), (2290, 100), (3010, 170), (3700, 250)),
    "u": ((300, 65), (870, 100), (2240, 170), (3300, 250)),
    "e": ((530, 70), (1840, 100), (2480, 170), (3500, 250)),
}
HARMONICS = 120
HOP = 240  # samples over which the harmonics' amplitudes hold


def vibrato(
    f0_hz: float, seconds: float, sample_rate: int, *, rate_hz: float = 5.5, depth_cents: float = 40.0
) -> Float:
    """(samples,) pitch in Hz of a held note with vibrato."""
    t = np.arange(int(seconds * sample_rate)) / sample_rate
    return (f0_hz * 2 ** (depth_cents / 1200 * np.sin(2 * np.pi * rate_hz * t))).astype(np.float32)


def glide(low_hz: float, high_hz: float, seconds: float, sample_rate: int) -> Float:
    """(samples,) pitch in Hz that rises evenly in semitones."""
    return np.geomspace(low_hz, high_hz, int(seconds * sample_rate)).astype(np.float32)


def rest(seconds: float, sample_rate: int) -> Float:
    """(samples,) of no pitch."""
    return np.zeros(int(seconds * sample_rate), np.float32)


def sing(
    f0_hz: Float,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    vowel: str = "a",
    breath_db: float = -30.0,
    snr_db: float | None = None,
    level: float = 0.2,
) -> Float:
    """Sing a line of pitches.

    Args:
        f0_hz: (samples,) fundamental; 0 where nothing is sung.
        sample_rate: Hz.
        rng: for breath and noise.
        vowel: one of VOWELS.
        breath_db: breath noise, modulated with the voice, against the harmonics.
        snr_db: white noise is added at this level against the voice; None for none.
        level: root mean square of the voice while it sounds.

    Returns:
        (samples,) float32.
    """
    voice = np.zeros(len(f0_hz), np.float32)
    phase = np.zeros(1)
    number = np.arange(1, HARMONICS + 1)
    for start in range(0, len(f0_hz), HOP):
        place = slice(start, start + HOP)
        f0 = float(f0_hz[place].max())
        if f0 > 0:
            amplitudes = (_envelope(number * f0, vowel) / number).astype(np.float32)
            harmonics(phase, f0_hz[place], amplitudes, float(sample_rate), voice[place])
    sounding = f0_hz > 0
    fade = np.convolve(sounding, np.hanning(481) / np.hanning(481).sum(), "same").astype(np.float32)
    voice *= np.minimum(fade * 2, 1)
    power = float(np.mean(voice[sounding] ** 2)) if sounding.any() else 0.0
    if power:
        voice *= np.float32(level / np.sqrt(power))
    breath = (
        rng.standard_normal(len(voice)).astype(np.float32) * fade * np.float32(level * 10 ** (breath_db / 20))
    )
    voice += breath
    if snr_db is not None:
        voice += rng.standard_normal(len(voice)).astype(np.float32) * np.float32(level * 10 ** (-snr_db / 20))
    return voice


def _envelope(hz: NDArray[np.floating], vowel: str) -> NDArray[np.floating]:
    """Amplitude of a vocal tract of four resonances at some frequencies."""
    gain = np.ones_like(hz)
    for centre, width in VOWELS[vowel]:
        gain = gain * centre**2 / np.sqrt((hz**2 - centre**2) ** 2 + (hz * width) ** 2)
    return gain + 1e-4
