import numpy as np
import pytest

from pipeline.karaoke.chart import Chart, Kind, Line, Note, Word
from pipeline.karaoke.notes import segment, tuning
from pipeline.karaoke.octaves import repair
from pipeline.karaoke.phrases import LONGEST_S, phrases

HOP_S = 0.016


def line(parts: list[tuple[float | None, float]]) -> np.ndarray:
    """A pitch line from (MIDI number or rest, seconds)."""
    hz = [0.0 if midi is None else 440 * 2 ** ((midi - 69) / 12) for midi, _ in parts]
    return np.repeat(hz, [round(seconds / HOP_S) for _, seconds in parts]).astype(np.float32)


def found(f0_hz: np.ndarray, loudness_db: np.ndarray | None = None) -> list[tuple[float, float, int]]:
    loud = np.where(f0_hz > 0, -20.0, -90.0).astype(np.float32) if loudness_db is None else loudness_db
    return [(note.start_s, note.end_s, note.pitch) for note in segment(f0_hz, loud, HOP_S)]


def test_notes_and_rests_are_where_they_were_sung() -> None:
    notes = found(line([(None, 0.32), (60, 0.48), (64, 0.48), (None, 0.32), (64, 0.48)]))
    assert [pitch for _, _, pitch in notes] == [60, 64, 64]
    assert [start for start, _, _ in notes] == pytest.approx([0.32, 0.8, 1.6], abs=0.02)
    assert notes[1][1] == pytest.approx(1.28, abs=0.02)


def test_vibrato_is_one_note() -> None:
    t = np.arange(100) * HOP_S
    cents = 60 * np.sin(2 * np.pi * 5.5 * t)
    assert [pitch for _, _, pitch in found((440 * 2 ** (cents / 1200)).astype(np.float32))] == [69]


def test_somebody_who_sings_flat_throughout_sings_the_notes_meant() -> None:
    sung = line([(60, 0.5), (62, 0.5), (64, 0.5)]) * np.float32(2 ** (-0.4 / 12))
    assert [pitch for _, _, pitch in found(sung)] == [60, 62, 64]
    assert tuning(np.array([59.6, 61.6, 63.6])) == pytest.approx(-0.4, abs=0.05)


def test_two_syllables_on_one_pitch_are_two_notes() -> None:
    f0_hz = line([(60, 0.96)])
    loudness = np.full(len(f0_hz), -20, np.float32)
    assert len(found(f0_hz, loudness)) == 1
    loudness[29:32] = -34
    loudness[30] = -38
    assert [start for start, _, _ in found(f0_hz, loudness)] == pytest.approx([0, 0.48], abs=0.02)


def test_silence_has_no_notes() -> None:
    assert found(np.zeros(100, np.float32)) == []
    assert found(np.zeros(0, np.float32)) == []


def test_a_slip_by_an_octave_is_repaired_and_a_leap_is_not() -> None:
    sung = line([(60, 0.5), (62, 0.3), (64, 0.5), (None, 0.2), (62, 0.5)])
    slipped = sung.copy()
    slipped[31:50] *= 2
    slipped[100:110] /= 2
    assert np.allclose(repair(slipped, HOP_S), sung)
    leap = line([(60, 0.8), (72, 1.2), (71, 0.8), (72, 0.8), (60, 0.5)])
    assert np.array_equal(repair(leap, HOP_S), leap)


def test_phrases_end_at_rests_and_are_never_endless() -> None:
    notes = [Note(s, s + 0.4, 60) for s in (1.0, 1.5, 2.0, 4.0, 4.5)]
    assert [(p.start_s, p.end_s) for p in phrases(notes)] == [(1.0, 2.4), (4.0, 4.9)]
    endless = [Note(0.5 * i, 0.5 * i + 0.45, 60) for i in range(100)]
    assert all(p.end_s - p.start_s <= LONGEST_S for p in phrases(endless))
    assert phrases([]) == ()


def test_a_chart_survives_json() -> None:
    words = (Word(0.0, 0.5, "la "), Word(0.5, 1.0, "la"))
    chart = Chart((Note(0.0, 1.0, 60, Kind.GOLDEN),), (Line(0.0, 1.0, words),), {"title": "La"})
    assert Chart.from_json(chart.to_json()) == chart
