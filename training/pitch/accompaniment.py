"""Random music for singers to be heard over: chords, bass, a lead and drums, played by FluidSynth.

Needs Debian's packages `fluidsynth` and `fluid-soundfont-gm` (its sounds are MIT-licensed) and `mido`.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import WeightsUnavailable

SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
BARS = 24
TICKS = 480  # of a quarter note
PROGRESSIONS = ((0, 5, 7, 0), (0, 9, 5, 7), (9, 5, 0, 7), (2, 7, 0, 9), (0, 7, 9, 5))  # semitones of the roots
MINOR = {2, 4, 9}
CHORDS = (0, 1, 4, 6, 16, 18, 24, 25, 26, 27, 29, 48, 50, 88, 89, 90)  # programs of General MIDI
BASSES = (32, 33, 34, 36, 38)
LEADS = (11, 22, 40, 42, 56, 60, 64, 65, 68, 71, 73, 80, 81)


def _bar(track: list[tuple[int, Any]], start: int, root: int, key: int, rng: np.random.Generator) -> None:
    """Add the notes of one bar as (tick, message)."""
    third = 3 if root % 12 in MINOR else 4
    chord = [key + root + step for step in (0, third, 7)]

    def play(channel: int, note: int, at: int, length: int, loud: int) -> None:
        import mido

        note = int(np.clip(note, 20, 108))
        track.append((at, mido.Message("note_on", channel=channel, note=note, velocity=loud)))
        track.append((at + length, mido.Message("note_off", channel=channel, note=note)))

    eighth = TICKS // 2
    arpeggio = rng.random() < 0.5
    for i in range(8):
        if arpeggio:
            play(0, chord[i % 3] + 12 * int(rng.integers(0, 2)), start + i * eighth, eighth, 80)
        elif i in (0, 4):
            for note in chord:
                play(0, note, start + i * eighth, 4 * eighth - 20, 75)
        if i % 2 == 0:
            play(1, key + root - 24, start + i * eighth, 2 * eighth - 30, 100)
        if rng.random() < 0.4:
            play(2, chord[rng.integers(3)] + 12, start + i * eighth, int(eighth * rng.uniform(0.8, 3)), 85)
        play(9, 42, start + i * eighth, 60, int(rng.integers(40, 80)))
        if i in (0, 4):
            play(9, 36, start + i * eighth, 60, 105)
        if i in (2, 6):
            play(9, 38, start + i * eighth, 60, 95)


def compose(file: Path, rng: np.random.Generator) -> None:
    """Write BARS bars of music as a MIDI file."""
    import mido

    events: list[tuple[int, Any]] = []
    for channel, programs in enumerate((CHORDS, BASSES, LEADS)):
        events.append((0, mido.Message("program_change", channel=channel, program=int(rng.choice(programs)))))
    key, progression = int(rng.integers(48, 60)), PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    for bar in range(BARS):
        _bar(events, bar * 4 * TICKS, progression[bar % 4], key, rng)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=int(60e6 / rng.uniform(70, 150)))])
    now = 0
    for tick, message in sorted(events, key=lambda e: e[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    mido.MidiFile(tracks=[track], ticks_per_beat=TICKS).save(file)


def play(count: int, folder: Path, seed: int) -> None:
    """Play pieces until there are `count` in the folder, as FLAC at 48 kHz.

    Raises:
        WeightsUnavailable: FluidSynth or its sounds are not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        made = folder / f"{number:03d}.flac"
        if made.exists():
            continue
        with tempfile.TemporaryDirectory() as aside:
            notes, sound = Path(aside) / "music.mid", Path(aside) / "music.flac"
            compose(notes, np.random.default_rng((seed, number)))
            command = ("fluidsynth", "-ni", "-q", "-r", "48000", "-T", "flac", "-F", sound, SOUND_FONT, notes)
            try:
                subprocess.run([str(c) for c in command], check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError) as problem:
                raise WeightsUnavailable(
                    f"fluidsynth: {problem}", "apt-get install fluidsynth fluid-soundfont-gm"
                ) from problem
            made.write_bytes(sound.read_bytes())
