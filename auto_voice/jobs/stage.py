"""From a song to a stage: what it takes to sing it over its own accompaniment."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from auto_voice.jobs.parts import Progress, SongParts
from pipeline.karaoke.analysis import Analysis, analyse
from pipeline.song import mix

CHART = "chart.json"
TRACKS = ("accompaniment", "guide")


class StageMaker:
    """Makes stages in one process.

    Args:
        parts: what takes songs apart.
    """

    def __init__(self, parts: SongParts) -> None:
        self._parts = parts

    def make(self, source: Path, preset: str, folder: Path, progress: Progress) -> dict[str, Any]:
        """Make a stage of a song: accompaniment.flac, guide.flac and chart.json in `folder`.

        Args:
            source: the uploaded file.
            preset: of the settings, for the separation.
            folder: gets the files.
            progress: told how far each stage is; whatever it raises ends the work.

        Returns:
            `files`, `metadata`, `notes`: JSON.

        Raises:
            PipelineError: what is wrong with the song.
        """
        stems = self._parts.stems(source, preset, True, progress)
        melody = self._parts.melody(stems, True, progress)
        found = analyse(stems.vocals, stems.accompaniment, melody, lambda part: progress("melody", part))
        for index, (name, track) in enumerate(zip(TRACKS, (stems.accompaniment, stems.vocals), strict=True)):

            def report(part: float, done: int = index) -> None:
                progress("encoding", (done + part) / len(TRACKS))

            mix.write_stem(track, folder / f"{name}.flac", 1.0, report)
        (folder / CHART).write_text(json.dumps(found.chart.to_json()))
        notes = [stems.choice.note] if stems.choice.note else []
        if not found.chart.notes:
            notes.append("no singing was found: there are no notes to hit")
        return {
            "files": {name: f"{name}.flac" for name in TRACKS} | {"chart": CHART},
            "metadata": {
                "original_duration_seconds": round(stems.info["seconds"], 3),
                "seconds": round(stems.vocals.seconds, 6),
                "preset": preset,
                "separation_model": stems.choice.separator.name,
                **_described(found),
            },
            "notes": notes,
        }


def _described(found: Analysis) -> dict[str, Any]:
    key, tempo = found.key, found.tempo
    return {
        "key": None
        if key is None
        else {**asdict(key), "correlation": round(key.correlation, 3), "name": key.name},
        "tempo": None
        if tempo is None
        else {"bpm": round(tempo.bpm, 2), "first_beat_s": round(tempo.first_beat_s, 3)},
    }
