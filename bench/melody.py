"""Are the notes of a melody found? Songs with known notes go the whole way of a stage: separation, pitch,
notes.

COn, COnP and COnPOff are the shares (F1) of notes whose onset, onset and pitch, or onset, pitch and offset are
right (within 50 ms, 50 cents, and a fifth of the note or 50 ms), as `mir_eval` counts them; Molina et al.,
"Evaluation framework for automatic singing transcription" (ISMIR 2014). `clean_` is without a band, so that
nothing is lost in the separation.

`singing_` are real recordings under a synthetic band. Their notes are not known: those found in the recording
by itself are the reference, and `singing_frames` is the share of frames where the offline pitch tracker hears
a pitch there and the note is within a semitone of it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import mir_eval.transcription as scores
import numpy as np
import soxr
from numpy.typing import NDArray

from auto_voice.settings import load_settings
from bench.melodies import RATE, make_song
from bench.report import Report, parser
from pipeline.karaoke.analysis import Analysis, analyse
from pipeline.karaoke.chart import Note
from pipeline.pitch import offline
from pipeline.pitch.trackers import open_tracker
from pipeline.reader import AudioReader
from pipeline.separation import choose_separator
from pipeline.song.pitch import Melody, track_pitch
from pipeline.song.separate import separate_song
from pipeline.song.track import Track, TrackWriter

Float = NDArray[np.float32]
LEAST_SINGING_S = 5.0  # less is no song


@dataclass(frozen=True)
class Found:
    """What was found in one recording."""

    analysis: Analysis
    melody: Melody
    seconds: float  # that finding notes, key and tempo took


def notes_of(voice: Float, band: Float, model: str | None, folder: Path) -> Found:
    """Go the whole way; without a model, as if the separation were perfect."""
    models_dir = load_settings().storage.models_dir
    tracks = {name: folder / f"{name}.wav" for name in ("vocals", "accompaniment")}
    for path, sound in zip(tracks.values(), (voice, band), strict=True):
        with TrackWriter(path, RATE, 2) as writer:
            writer.append(voice + band if model else sound)
    if model:
        mixture = Track(tracks["vocals"].rename(folder / "mixture.wav"))
        separate_song(mixture, choose_separator(model, models_dir).separator, folder, lambda part: None)
    vocals, rest = (Track(path) for path in tracks.values())
    melody = track_pitch(vocals, open_tracker("swiftf0", models_dir), lambda part: None)
    began = time.perf_counter()
    analysis = analyse(vocals, rest, melody, lambda part: None)
    return Found(analysis, melody, time.perf_counter() - began)


def f1(reference: tuple[Note, ...], found: tuple[Note, ...]) -> dict[str, float]:
    """COn, COnP and COnPOff."""
    if not found or not reference:
        return dict.fromkeys(("con_f1", "conp_f1", "conpoff_f1"), 0.0)
    intervals = [np.array([[note.start_s, note.end_s] for note in notes]) for notes in (reference, found)]
    hz = [np.array([440 * 2 ** ((note.pitch - 69) / 12) for note in notes]) for notes in (reference, found)]
    pairs = (intervals[0], hz[0], intervals[1], hz[1])
    return {
        "con_f1": scores.onset_precision_recall_f1(intervals[0], intervals[1])[2],
        "conp_f1": scores.precision_recall_f1_overlap(*pairs, offset_ratio=None)[2],
        "conpoff_f1": scores.precision_recall_f1_overlap(*pairs)[2],
    }


def agreement(notes: tuple[Note, ...], melody: Melody) -> float:
    """The share of sung frames that lie in a note of their pitch, to half a semitone and a little."""
    times_s = np.arange(len(melody.f0_hz)) * offline.HOP_S
    sung = melody.f0_hz > 0
    pitch = np.full(len(times_s), np.nan)
    for note in notes:
        pitch[(times_s >= note.start_s) & (times_s < note.end_s)] = note.pitch
    midi = 69 + 12 * np.log2(np.maximum(melody.f0_hz, 1) / 440)
    return float(np.mean(np.abs(midi - pitch)[sung] <= 1.0))


def recordings() -> list[tuple[str, Float]]:
    """Real singing of AUTOVOICE_TEST_AUDIO or ../shared/audio, (2, samples) at RATE."""
    folder = Path(os.environ.get("AUTOVOICE_TEST_AUDIO", "../shared/audio")) / "singing"
    found = []
    for path in sorted(folder.rglob("*.flac")):
        with AudioReader(path) as reader:
            sound = np.concatenate(list(reader.blocks(channels=2)), 1)
            sound = soxr.resample(sound.T, reader.sample_rate, RATE).T
        if sound.shape[1] >= LEAST_SINGING_S * RATE:
            found.append((path.stem, np.ascontiguousarray(sound, np.float32)))
    return found


def main() -> int:
    """Measure and report."""
    arguments = parser(__doc__)
    arguments.add_argument("--songs", type=int, default=12)
    arguments.add_argument("--seconds", type=float, default=30.0)
    arguments.add_argument("--first", type=int, default=1, help="seed of the first song")
    arguments.add_argument("--model", default="spleeter", help="of the separation")
    options = arguments.parse_args()
    report = Report("melody")
    scored: dict[str, list[float]] = {}

    def score(prefix: str, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            scored.setdefault(prefix + name, []).append(value)

    with tempfile.TemporaryDirectory() as name:
        for seed in range(options.first, options.first + options.songs):
            song = make_song(seed, options.seconds)
            for prefix, model in (("", options.model), ("clean_", None)):
                found = notes_of(song.voice, song.band, model, Path(name))
                score(prefix, f1(song.notes, found.analysis.chart.notes))
            key, tempo = found.analysis.key, found.analysis.tempo
            right = key is not None and (key.tonic, key.mode) == (song.tonic, song.mode)
            score("", {"key_right": float(right)})
            ratio = np.log2(tempo.bpm / song.bpm) if tempo else 0.5
            off = abs(ratio - round(ratio))  # twice or half as fast is right as well
            score("", {"tempo_right": float(off < 0.03), "tempo_same": float(abs(ratio) < 0.03)})
            score("", {"work_per_second": found.seconds / options.seconds})
        for number, (_, voice) in enumerate(recordings()):
            seconds = voice.shape[1] / RATE
            band = make_song(1000 + number, seconds).band * np.float32(np.std(voice) / 0.2)
            alone, mixed = (notes_of(voice, band, m, Path(name)) for m in (None, options.model))
            score("singing_", f1(alone.analysis.chart.notes, mixed.analysis.chart.notes))
            score("singing_", {"frames": agreement(mixed.analysis.chart.notes, alone.melody)})
    for figure, values in scored.items():
        report.add(figure, float(np.mean(values)), "", "", len(values))
    report.finish(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
