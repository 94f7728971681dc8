import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.settings import load_settings
from auto_voice.web.errors import ApiError
from auto_voice.web.song_form import read_song_request

QUALITY = load_settings(environ={}).quality
FIELDS = (
    "target_profile_id",
    "profile_id",
    "quality_preset",
    "preset",
    "vocal_volume",
    "instrumental_volume",
    "pitch_shift_semitones",
    "pitch_shift",
    "shift_accompaniment",
    "temperature",
    "return_stems",
    "use_cache",
    "output_format",
)


def test_the_defaults_are_the_documented_ones() -> None:
    request, notes = read_song_request({"target_profile_id": "aria"}, QUALITY)
    assert (request.preset, request.vocal_volume, request.instrumental_volume) == ("balanced", 1.0, 0.9)
    assert request.return_stems
    assert request.use_cache
    assert notes == []


def test_aliases_and_all_fields_are_read() -> None:
    fields = {
        "profile_id": "aria",
        "preset": "fast",
        "vocal_volume": "1.5",
        "instrumental_volume": "0",
        "pitch_shift": "-3",
        "shift_accompaniment": "yes",
        "temperature": "1.0",
        "return_stems": "false",
        "use_cache": "0",
        "output_format": "MP3",
    }
    request, notes = read_song_request(fields, QUALITY)
    assert (request.voice_id, request.preset, request.output_format) == ("aria", "fast", "mp3")
    assert (request.pitch_shift_semitones, request.shift_accompaniment) == (-3.0, True)
    assert not request.return_stems
    assert "temperature" in notes[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quality_preset", "best"),
        ("vocal_volume", "2.1"),
        ("vocal_volume", "nan"),
        ("instrumental_volume", "-0.1"),
        ("pitch_shift_semitones", "13"),
        ("pitch_shift_semitones", "up"),
        ("temperature", "3"),
        ("return_stems", "perhaps"),
        ("output_format", "aac"),
        ("pitch_tracker", "crepe"),
    ],
)
def test_bad_values_are_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(ApiError, match=field) as caught:
        read_song_request({"target_profile_id": "aria", field: value}, QUALITY)
    assert caught.value.code == "invalid_parameter"


def test_a_voice_is_needed() -> None:
    with pytest.raises(ApiError) as caught:
        read_song_request({}, QUALITY)
    assert caught.value.code == "missing_required_field"


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=12)))
def test_anything_is_a_request_or_a_clear_error(fields: dict[str, str]) -> None:
    try:
        request, _ = read_song_request(fields, QUALITY)
    except ApiError as problem:
        assert problem.code in ("invalid_parameter", "missing_required_field")
    else:
        assert 0 <= request.vocal_volume <= 2
        assert -12 <= request.pitch_shift_semitones <= 12
