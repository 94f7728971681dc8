"""Songs whose notes are known: a tune that nobody wrote, sung by a synthetic voice over a synthetic band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from auto_voice.storage.profiles import BUILTIN
from pipeline.converters import DEFAULT, available
from pipeline.converters.base import Controls
from pipeline.karaoke.chart import Note
from pipeline.song.convert import Stream
from pipeline.synthetic import VOWELS, sing
from pipeline.voice_file import load_voice

Float = NDArray[np.float32]

RATE = 44_100
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
CHORDS = {"major": (0, 4, 5, 3), "minor": (0, 5, 2, 6)}  # degrees, a bar each
BEATS = (0.5, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0)  # that a note may last
SINGERS = {"bruno": 43, "nora": 55}  # and the lowest MIDI number that each is asked for
SPAN = 14  # semitones from there
GLIDE_S = 0.035
CONSONANT_S = 0.045
BAND_DB = -3.0  # against the voice


@dataclass(frozen=True)
class Song:
    """A song and the truth about it.

    Attributes:
        voice, band: (2, samples) at RATE.
        notes: what is sung.
        tonic: 0 is C.
        mode: major or minor.
        bpm: beats per minute.
    """

    voice: Float
    band: Float
    notes: tuple[Note, ...]
    tonic: int
    mode: str
    bpm: float


def make_song(seed: int, seconds: float) -> Song:
    """A song of its own key, tempo, range and tune for each seed."""
    rng = np.random.default_rng(seed)
    tonic, mode = int(rng.integers(12)), str(rng.choice(list(SCALES)))
    bpm = float(rng.uniform(80, 150))
    singer = str(rng.choice(list(SINGERS)))
    notes = _tune(rng, tonic, mode, bpm, SINGERS[singer], seconds)
    voice = _humanised(_sung(rng, notes, seconds), singer)
    band = _band(rng, tonic, mode, bpm, seconds)
    band *= np.float32(10 ** (BAND_DB / 20) * np.std(voice) / np.std(band))
    wide = np.stack([voice, voice])
    return Song(wide, band.astype(np.float32), notes, tonic, mode, bpm)


def _tune(
    rng: np.random.Generator, tonic: int, mode: str, bpm: float, lowest: int, seconds: float
) -> tuple[Note, ...]:
    """A walk over the scale, mostly by steps, with rests, from the second bar on."""
    scale, beat_s = SCALES[mode], 60 / bpm
    low = lowest + int(rng.integers(0, 6)) - 60
    steps = sorted(12 * octave + tonic + tone for octave in range(-2, 4) for tone in scale)
    steps = [60 + step for step in steps if low <= step <= low + SPAN]
    at, place = 4.0 * beat_s, len(steps) // 2
    notes: list[Note] = []
    while at + 2 * beat_s < seconds:
        length_s = float(rng.choice(BEATS)) * beat_s
        if rng.random() < 0.12:
            at += length_s
            continue
        place = int(np.clip(place + rng.choice([-4, -2, -1, -1, 0, 1, 1, 2, 4]), 0, len(steps) - 1))
        notes.append(Note(at, at + length_s - 0.01, steps[place]))
        at += length_s
    return tuple(notes)


def _sung(rng: np.random.Generator, notes: tuple[Note, ...], seconds: float) -> Float:
    """The tune as singers sing it: late vibrato, glides, a consonant at most beginnings, off by some cents."""
    t = np.arange(int(seconds * RATE)) / RATE
    cents, gain = np.full(len(t), np.nan), np.zeros(len(t), np.float32)
    before: Note | None = None
    for note in notes:
        first, last = round(note.start_s * RATE), round(note.end_s * RATE)
        own = t[first:last] - note.start_s
        line = (
            100.0 * note.pitch
            + rng.normal(0, 12)
            + 35 * np.sin(2 * np.pi * rng.uniform(5, 6) * own) * np.clip((own - 0.25) / 0.2, 0, 1)
        )
        loud = np.ones(last - first)
        if before is not None and note.start_s - before.end_s < 0.02:
            line = line + 100 * (before.pitch - note.pitch) * np.exp(-own / (GLIDE_S / 3))
        if before is None or rng.random() < 0.7 or before.pitch == note.pitch:
            loud *= 1 - 0.9 * np.exp(-0.5 * ((own - CONSONANT_S / 2) / (CONSONANT_S / 2.5)) ** 2)
        cents[first:last], gain[first:last] = line, loud
        before = note
    f0_hz = np.where(np.isnan(cents), 0, 440 * 2 ** ((np.nan_to_num(cents) - 6900) / 1200)).astype(np.float32)
    return _articulated(rng, f0_hz, notes) * np.maximum(gain, 0.03)


def _articulated(rng: np.random.Generator, f0_hz: Float, notes: tuple[Note, ...]) -> Float:
    """A vowel for each note."""
    vowels = {vowel: sing(f0_hz, RATE, rng, vowel=vowel, breath_db=-26) for vowel in VOWELS}
    voice = np.zeros(len(f0_hz), np.float32)
    ends = [round(note.start_s * RATE) for note in notes[1:]] + [len(voice)]
    start = 0
    for end in ends:
        voice[start:end] = vowels[str(rng.choice(list(VOWELS)))][start:end]
        start = end
    return voice


def _humanised(voice: Float, singer: str) -> Float:
    """The line in a voice that a separator takes for one, its pitch as it was: our own converter."""
    converter = available()[DEFAULT](480)
    stream = Stream(converter, load_voice(BUILTIN / f"{singer}.safetensors"), Controls(auto_pitch=False), None)
    up = soxr.resample(voice, RATE, stream.sample_rate)
    sound = np.concatenate((stream.push(up), stream.finish()))[: len(up)]
    down = soxr.resample(sound, stream.sample_rate, RATE)[: len(voice)]
    return np.pad(down, (0, len(voice) - len(down))).astype(np.float32)


def _band(rng: np.random.Generator, tonic: int, mode: str, bpm: float, seconds: float) -> Float:
    """Chords, a bass, a bass drum and a hi-hat."""
    count, beat = int(seconds * RATE), round(60 / bpm * RATE)
    wide, scale = np.zeros((2, count + 8 * beat), np.float32), SCALES[mode]
    t = np.arange(4 * beat) / RATE
    for bar, start in enumerate(range(0, count, 4 * beat)):
        degree = CHORDS[mode][bar % 4]
        tones = [tonic + scale[(degree + third) % 7] + 12 * ((degree + third) // 7) for third in (0, 2, 4)]
        for index, tone in enumerate(tones):
            side = 0.3 + 0.2 * index
            sound = _plucked(48 + tone, t, 0.9)
            wide[:, start : start + len(t)] += np.stack([side * sound, (1 - side) * sound])
        wide[:, start : start + len(t)] += 0.9 * _plucked(36 + tones[0] % 12, t, 1.5)
        for step in range(8):
            at = start + step * beat // 2
            hit = t[: beat // 2]
            hat = rng.standard_normal(len(hit)) * np.exp(-hit / 0.02) * 0.25
            kick = np.sin(2 * np.pi * 55 * hit) * np.exp(-hit / 0.06) * (1.2 if step % 4 == 0 else 0)
            snare = rng.standard_normal(len(hit)) * np.exp(-hit / 0.05) * (0.5 if step % 4 == 2 else 0)
            wide[:, at : at + len(hit)] += (hat + kick + snare).astype(np.float32)
    return wide[:, :count]


def _plucked(midi: float, t: NDArray[np.floating], decay_s: float) -> Float:
    f0 = 440 * 2 ** ((midi - 69) / 12)
    harmonics = [np.sin(2 * np.pi * f0 * n * t) * np.exp(-t * n**0.5 / decay_s) / n**1.5 for n in range(1, 9)]
    return np.asarray(0.2 * np.sum(harmonics, 0), np.float32)
