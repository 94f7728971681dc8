"""Sounds that are found again in what was played: how late they are is the delay of a loop."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

SAMPLE_RATE = 48000
BURST = 960  # samples: 20 ms


def write_wav(path: Path, audio: Signal, sample_rate: int = SAMPLE_RATE) -> None:
    """Write mono 16-bit audio in [-1, 1]."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())


def coded_bursts(seconds: float, rng: np.random.Generator) -> Signal:
    """Unique 20 ms noise bursts of 200 to 8000 Hz, 150 to 450 ms apart."""
    audio = np.zeros(int(seconds * SAMPLE_RATE))
    at = SAMPLE_RATE // 10
    while at + BURST < audio.size:
        spectrum = np.fft.rfft(rng.standard_normal(BURST))
        hz = np.fft.rfftfreq(BURST, 1 / SAMPLE_RATE)
        spectrum[(hz < 200) | (hz > 8000)] = 0
        burst = np.fft.irfft(spectrum, BURST) * np.hanning(BURST)
        audio[at : at + BURST] = 0.5 * burst / np.abs(burst).max()
        at += int(rng.uniform(0.15, 0.45) * SAMPLE_RATE)
    return audio


def _burst_starts(captured: Signal) -> Iterator[int]:
    """Where bursts begin in what the microphone heard."""
    loud = np.convolve(np.abs(captured), np.ones(96) / 96, "same") > 0.02
    edges = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    last = -SAMPLE_RATE
    for edge in edges:
        if edge - last > 2 * BURST:
            last = int(edge)
            yield last


def loop_delays(captured: Signal, played: Signal, longest_s: float = 0.5) -> tuple[NDArray[np.float64], int]:
    """The delay of every burst from capture to playout, in ms, and how many could not be found again.

    Where the waveform survives, the delay is that of the highest normalised cross-correlation (its sign does
    not matter). A converter that re-makes the voice changes the waveform; where the correlation is below 0.5,
    the delay is that of the best match of the envelopes (1 ms RMS) of the second that begins with the burst:
    one burst looks like another, but no second has the distances of another.
    """
    delays: list[float] = []
    lost = 0
    window = int(longest_s * SAMPLE_RATE)
    for start in _burst_starts(captured):
        begin = max(0, start - 240)
        lag, height = 0, 0.0
        for size, view in ((BURST + 480, _as_it_is), (SAMPLE_RATE, _envelope)):
            room = played[begin : begin + window + size]
            if room.size < window + size:
                return np.array(delays), lost
            lag, height = _best_lag(view(captured[begin : begin + size]), view(room))
            if height >= 0.5:
                delays.append(1000 * lag / SAMPLE_RATE)
                break
        else:
            lost += 1
    return np.array(delays), lost


def _as_it_is(audio: Signal) -> Signal:
    return audio


def _envelope(audio: Signal) -> Signal:
    envelope = np.sqrt(np.convolve(audio**2, np.ones(48) / 48, "same"))
    return np.asarray(envelope - envelope.mean())


def _best_lag(template: Signal, room: Signal) -> tuple[int, float]:
    """The lag of the highest normalised cross-correlation, and its height in 0..1."""
    size = 1 << int(np.ceil(np.log2(room.size + template.size)))
    product = np.fft.irfft(np.fft.rfft(room, size) * np.conj(np.fft.rfft(template, size)), size)
    correlation = product[: room.size - template.size + 1]
    power = np.concatenate([[0.0], np.cumsum(room**2)])
    energy = power[template.size :] - power[: -template.size]
    scale = np.sqrt(np.maximum(energy, 1e-3 * (template**2).sum()) * (template**2).sum())
    heights = np.abs(correlation) / np.maximum(scale, 1e-12)
    best = int(np.argmax(heights))
    return best, float(heights[best])


def pitch_of(audio: Signal, sample_rate: int, low_hz: float = 60, high_hz: float = 1000) -> float:
    """The pitch of a steady tone in Hz, by autocorrelation with parabolic interpolation."""
    audio = np.asarray(audio, dtype=float) - np.mean(audio)
    size = 1 << int(np.ceil(np.log2(2 * audio.size)))
    correlation = np.fft.irfft(np.abs(np.fft.rfft(audio, size)) ** 2, size)[: audio.size]
    correlation /= np.arange(audio.size, 0, -1)  # unbiased, so that longer lags are not at a disadvantage
    first, last = int(sample_rate / high_hz), min(int(sample_rate / low_hz), audio.size // 2)
    lags = np.arange(first, last)
    peaks = lags[
        (correlation[lags] >= correlation[lags - 1])
        & (correlation[lags] > correlation[lags + 1])
        & (correlation[lags] > 0.85 * correlation[lags].max())
    ]
    lag = int(peaks[0])
    a, b, c = correlation[lag - 1 : lag + 2]
    return float(sample_rate / (lag + 0.5 * (a - c) / (a - 2 * b + c)))
