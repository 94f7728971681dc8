"""What is said of a take when it is begun."""

from __future__ import annotations

from typing import Any

from auto_voice.renditions import MOST_SEMITONES, TEMPOS
from auto_voice.web.errors import ApiError
from auto_voice.web.json_body import number_of, text_of
from auto_voice.web.validators import InvalidParameter

MOST_EFFECTS = 32


def read_about(given: dict[str, Any]) -> dict[str, Any]:
    """What the singer's page says of a take: the key and tempo, the voice, the mix, what never came back.

    Raises:
        InvalidParameter: something of it cannot be. ApiError: missing_required_field: no song is named.
    """
    texts = {name: text_of(given, name, "") for name in ("voice", "voice_name")}
    for name, text in texts.items():
        if len(text) > 100 or any(ord(c) < 32 for c in text):
            raise InvalidParameter(name, "must be a plain text of at most 100 characters")
    if not text_of(given, "song_id", ""):
        raise ApiError("missing_required_field", "song_id is missing", "say what is sung")
    given = {"voice_volume": 1.0, "track_volume": 1.0, "effects": {}, **given}
    given = {"semitones": 0, "tempo": 100, "missing": 0, **given}
    return {
        **texts,
        "semitones": whole_of(given, "semitones", -MOST_SEMITONES, MOST_SEMITONES),
        "tempo": whole_of(given, "tempo", *TEMPOS),
        "missing": whole_of(given, "missing", 0, 10**9),
        **read_mixing(given),
    }


def read_mixing(given: dict[str, Any]) -> dict[str, Any]:
    """What of the volumes and effects is given.

    Raises:
        InvalidParameter: something of it cannot be.
    """
    mixing: dict[str, Any] = {
        name: number_of(given, name, 0, 1) for name in ("voice_volume", "track_volume") if name in given
    }
    if "effects" in given:
        mixing["effects"] = _effects(given["effects"])
    return mixing


def _effects(given: Any) -> dict[str, float | str]:
    """The page's effects: names with numbers or words, for the page to have back."""
    plain = isinstance(given, dict) and len(given) <= MOST_EFFECTS
    if not plain or not all(len(name) <= 40 and _is_setting(value) for name, value in given.items()):
        raise InvalidParameter("effects", f"must be at most {MOST_EFFECTS} names with numbers or short words")
    return dict(given)


def _is_setting(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 40
    return not isinstance(value, bool) and isinstance(value, int | float) and abs(value) < 1e6


def whole_of(given: dict[str, Any], name: str, low: int, high: int) -> int:
    """A whole number that is there.

    Raises:
        InvalidParameter: it is something else, or outside low to high.
    """
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidParameter(name, f"must be a whole number from {low} to {high}")
    return value
