"""A track of a stage in another key or at another tempo, made when it is asked for, and kept for a while."""

from __future__ import annotations

from pathlib import Path

from auto_voice.settings import Settings

MOST_SEMITONES = 6
TEMPOS = (50, 150)  # percent
FILE = "track.flac"


def render(settings: Settings, source: Path, semitones: int, tempo_percent: int) -> Path:
    """Make a rendition, unless it is there; called in a process of its own.

    Args:
        settings: of the cache.
        source: a FLAC file of a stage.
        semitones: higher, -MOST_SEMITONES to MOST_SEMITONES.
        tempo_percent: within TEMPOS; 200 were twice as fast.

    Returns:
        A FLAC file in the cache; it is shorter or longer by exactly the tempo.

    Raises:
        PipelineError: the file cannot be read.
    """
    from auto_voice.storage.cache import content_key, file_hash, open_cache
    from pipeline import io
    from pipeline.reader import AudioReader
    from pipeline.song.stretch import stretched
    from pipeline.song.track import Track, TrackWriter

    def build(folder: Path) -> None:
        whole = folder / "whole.wav"
        with AudioReader(source) as reader, TrackWriter(whole, reader.sample_rate, 2) as writer:
            for block in reader.blocks(channels=2):
                writer.append(block)
        track = Track(whole)
        blocks = stretched(track, float(semitones), tempo_percent / 100, track.sample_rate)
        io.encode_blocks(folder / FILE, blocks, track.sample_rate, 2)
        whole.unlink()

    key = content_key(file_hash(source), semitones, tempo_percent)
    folder, _ = open_cache(settings).get_or_build("rendition", key, build)
    return folder / FILE
