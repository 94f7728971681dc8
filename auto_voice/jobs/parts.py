"""What every job with a song begins with: its stems, and the pitch of its voice; from the cache if there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auto_voice.settings import Settings
from auto_voice.storage.cache import ContentCache, content_key, file_hash
from pipeline.pitch.names import TRACKERS
from pipeline.pitch.trackers import open_tracker
from pipeline.reader import AudioReader
from pipeline.separation import Choice, choose_separator
from pipeline.song.decode import decode_song
from pipeline.song.pitch import Melody, track_pitch
from pipeline.song.separate import separate_song
from pipeline.song.track import Track

Progress = Callable[[str, float], None]  # stage, fraction of it

VERSION = "2"  # of the stages: a change of what they make must change it
DECODING = 0.2  # of the first stage


@dataclass(frozen=True)
class Stems:
    """A song taken apart, with what is known of the file.

    Attributes:
        key: the song and its separation, by content; for what is made of them.
        info: as `SongInfo`.
        cached: whether they were there.
    """

    vocals: Track
    accompaniment: Track
    key: str
    choice: Choice
    info: dict[str, Any]
    cached: bool


class SongParts:
    """Takes songs apart in one process; the separator stays loaded from one song to the next.

    Args:
        settings: presets, limits and folders.
        cache: of stems and pitch.
    """

    def __init__(self, settings: Settings, cache: ContentCache) -> None:
        self._settings = settings
        self._cache = cache
        self._choices: dict[tuple[str, int], Choice] = {}

    def stems(self, source: Path, preset: str, use_cache: bool, progress: Progress) -> Stems:
        """Decode and separate a song.

        Args:
            source: the uploaded file.
            preset: of the settings, for the model.
            use_cache: False does it again.
            progress: of `separation`.

        Raises:
            PipelineError: what is wrong with the song.
        """
        with AudioReader(source):  # is it audio?
            pass
        choice, limits = self._separator(preset), self._settings.limits
        key = content_key(VERSION, file_hash(source), choice.identity)

        def build(folder: Path) -> None:
            mixture, info = decode_song(
                source,
                folder / "mixture.wav",
                choice.separator.sample_rate,
                lambda part: progress("separation", DECODING * part),
                max_seconds=limits.max_song_duration_s,
                max_bytes=limits.max_audio_size_mb * 2**20,
            )
            separate_song(
                mixture,
                choice.separator,
                folder,
                lambda part: progress("separation", DECODING + (1 - DECODING) * part),
            )
            (folder / "mixture.wav").unlink()
            (folder / "info.json").write_text(json.dumps(asdict(info)))

        folder, cached = self.entry("stems", key, use_cache, build, lambda: progress("separation", 0.0))
        progress("separation", 1.0)
        info = json.loads((folder / "info.json").read_text())
        tracks = Track(folder / "vocals.wav"), Track(folder / "accompaniment.wav")
        return Stems(*tracks, key, choice, info, cached)

    def melody(self, stems: Stems, use_cache: bool, progress: Progress, tracker: str = TRACKERS[0]) -> Melody:
        """The pitch of a song's voice, by one of `TRACKERS`; `progress` of `pitch`."""

        def build(folder: Path) -> None:
            track = open_tracker(tracker, self._settings.storage.models_dir)
            melody = track_pitch(stems.vocals, track, lambda part: progress("pitch", part))
            np.save(folder / "melody.npy", np.stack(melody))

        key = stems.key if tracker == TRACKERS[0] else content_key(stems.key, tracker)
        folder, _ = self.entry("pitch", key, use_cache, build, lambda: progress("pitch", 0.0))
        progress("pitch", 1.0)
        return Melody(*np.load(folder / "melody.npy", allow_pickle=False))

    def entry(
        self, kind: str, key: str, use_cache: bool, build: Callable[[Path], None], waiting: Callable[[], None]
    ) -> tuple[Path, bool]:
        """An entry of the cache, and whether it was there; see `ContentCache.get_or_build`."""
        if not (
            use_cache and self._settings.cache.cache_intermediate_results
        ):  # an entry of its own: others may be using the known one
            key = content_key(key, uuid.uuid4())
        return self._cache.get_or_build(kind, key, build, waiting=waiting)

    def _separator(self, preset: str) -> Choice:
        wanted = self._settings.quality.presets[preset]
        name = wanted.separation_model, wanted.separation_shifts
        if name not in self._choices:
            self._choices.clear()  # one model in memory is enough
            self._choices[name] = choose_separator(name[0], self._settings.storage.models_dir, shifts=name[1])
        return self._choices[name]
