"""What somebody wants of a song."""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = ("wav", "flac", "mp3", "ogg")


@dataclass(frozen=True)
class SongRequest:
    """Parameters of one conversion; checked by the web layer and the command line."""

    voice_id: str
    preset: str
    vocal_volume: float = 1.0  # 0 to 2
    instrumental_volume: float = 0.9  # 0 to 2
    pitch_shift_semitones: float = 0.0  # -12 to 12
    shift_accompaniment: bool = False  # by pitch_shift_semitones, too
    return_stems: bool = True
    use_cache: bool = True
    output_format: str = "wav"
    pitch_tracker: str = "swiftf0"  # one of pipeline.pitch.names.TRACKERS
