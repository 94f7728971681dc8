"""From the fields of a conversion request to a checked `SongRequest`, in documented names and aliases."""

from __future__ import annotations

import math
from collections.abc import Mapping

from auto_voice.jobs.song_request import FORMATS, SongRequest
from auto_voice.sections import QualitySettings
from auto_voice.web.errors import ApiError
from pipeline.pitch.names import TRACKERS

ALIASES = {
    "target_profile_id": ("target_profile_id", "profile_id", "voice_id"),
    "quality_preset": ("quality_preset", "preset"),
    "pitch_shift_semitones": ("pitch_shift_semitones", "pitch_shift"),
    "output_format": ("output_format", "format"),
}
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def read_song_request(fields: Mapping[str, str], quality: QualitySettings) -> tuple[SongRequest, list[str]]:
    """Check all parameters; returns the request and notes on what has no effect.

    Raises:
        ApiError: `missing_required_field` or `invalid_parameter`, naming the field.
    """
    voice_id = _text(fields, "target_profile_id")
    if voice_id is None:
        raise ApiError(
            "missing_required_field",
            "target_profile_id is missing",
            "list the voices with GET /api/v1/voice/profiles",
        )
    preset = read_preset(fields, quality)
    output_format = (_text(fields, "output_format") or "wav").lower()
    if output_format not in FORMATS:
        raise ApiError("invalid_parameter", f"output_format must be one of {', '.join(FORMATS)}")
    tracker = _text(fields, "pitch_tracker") or TRACKERS[0]
    if tracker not in TRACKERS:
        raise ApiError("invalid_parameter", f"pitch_tracker must be one of {', '.join(TRACKERS)}")
    _number(fields, "temperature", 1.0, 0.5, 2.0)
    notes = ["temperature has no effect: the converter does not sample"] if _text(fields, "temperature") else []
    request = SongRequest(
        voice_id=voice_id,
        preset=preset,
        vocal_volume=_number(fields, "vocal_volume", 1.0, 0.0, 2.0),
        instrumental_volume=_number(fields, "instrumental_volume", 0.9, 0.0, 2.0),
        pitch_shift_semitones=_number(fields, "pitch_shift_semitones", 0.0, -12.0, 12.0),
        shift_accompaniment=_flag(fields, "shift_accompaniment", False),
        return_stems=_flag(fields, "return_stems", True),
        use_cache=_flag(fields, "use_cache", True),
        output_format=output_format,
        pitch_tracker=tracker,
    )
    return request, notes


def read_preset(fields: Mapping[str, str], quality: QualitySettings) -> str:
    """The preset that is asked for, or the default.

    Raises:
        ApiError: `invalid_parameter`: none of those allowed.
    """
    preset = _text(fields, "quality_preset") or quality.default_preset
    if preset not in quality.allowed:
        raise ApiError("invalid_parameter", f"quality_preset must be one of {', '.join(quality.allowed)}")
    return preset


def _text(fields: Mapping[str, str], name: str) -> str | None:
    for known in ALIASES.get(name, (name,)):
        if fields.get(known):
            return fields[known]
    return None


def _number(fields: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = _text(fields, name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ApiError("invalid_parameter", f"{name} must be a number from {low:g} to {high:g}")
    return value


def _flag(fields: Mapping[str, str], name: str, default: bool) -> bool:
    text = (_text(fields, name) or "").lower()
    if text and text not in TRUE + FALSE:
        raise ApiError("invalid_parameter", f"{name} must be true or false")
    return text in TRUE if text else default
