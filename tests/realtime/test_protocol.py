from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.converters.base import Controls
from realtime import protocol
from realtime.errors import ProtocolError

VALID: list[dict[str, Any]] = [
    {"type": "hello", "version": 1, "client": "test"},
    {"type": "start", "voice": "aria", "controls": {"dry_wet": 1.0}},
    {"type": "audio", "seq": 0, "position": 0, "pcm": b"\0\0"},
    {"type": "controls", "pitch_semitones": 2, "voice": "otto", "blend": {"voice": "aria", "share": 0.5}},
    {"type": "stats", "t": 1.5, "underruns": 0},
    {"type": "stop", "reason": "done"},
]
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def decode(message: Any) -> protocol.Message:
    return protocol.decode(msgpack.packb(message))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_clear_error(data: bytes) -> None:
    try:
        protocol.decode(data)
    except ProtocolError as problem:
        assert problem.code
        assert problem.message


@given(st.sampled_from(VALID), st.data())
def test_any_values_in_the_right_fields_are_a_message_or_a_clear_error(
    message: dict[str, Any], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from([*message, "user_id", "converter", "blend"]))
    try:
        decode({**message, field: data.draw(anything)})
    except ProtocolError as problem:
        assert problem.code in ("malformed_message", "frame_empty", "frame_odd_length", "frame_too_large")


@given(st.sampled_from(["start", "controls"]), anything, anything)
def test_any_blend_is_in_range_or_refused(kind: str, voice: Any, share: Any) -> None:
    try:
        message = decode({"type": kind, "voice": "aria", "blend": {"voice": voice, "share": share}})
    except ProtocolError as problem:
        assert problem.code == ("invalid_parameter" if isinstance(voice, str) else "malformed_message")
    else:
        assert isinstance(message, protocol.Start | protocol.ChangeControls)
        assert message.blend is not None
        assert message.blend.voice == voice
        assert 0 <= message.blend.share <= 1


def test_no_blend_is_not_the_end_of_one() -> None:
    kept, ended = decode({"type": "controls"}), decode({"type": "controls", "blend": None})
    assert kept == protocol.ChangeControls(None, None, {})
    assert ended == protocol.ChangeControls(None, protocol.AskedBlend(None, 0.0), {})


@given(st.dictionaries(st.sampled_from(protocol.CONTROL_NAMES), anything))
def test_any_controls_are_in_range_or_refused_whole(changes: dict[str, Any]) -> None:
    old = Controls()
    try:
        new = protocol.merge_controls(old, changes)
    except ProtocolError as problem:
        assert problem.code == "invalid_parameter"
    else:
        assert -24 <= new.pitch_semitones <= 24
        assert 0 <= new.dry_wet <= 1


@pytest.mark.parametrize("message", VALID, ids=lambda m: m["type"])
def test_every_message_is_read(message: dict[str, Any]) -> None:
    assert type(decode(message)).__name__.lower().endswith(message["type"])


@pytest.mark.parametrize(
    ("pcm", "code"),
    [
        (b"", "frame_empty"),
        (b"\0\0\0", "frame_odd_length"),
        (bytes(2 * protocol.MAX_FRAME + 2), "frame_too_large"),
        ("text", "malformed_message"),
    ],
)
def test_bad_frames_have_their_codes(pcm: Any, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode({"type": "audio", "seq": 0, "position": 0, "pcm": pcm})
    assert caught.value.code == code
    assert not caught.value.fatal


@pytest.mark.parametrize("position", [-1, 2**53, 0.5, True, "0", None])
def test_bad_positions_are_refused(position: Any) -> None:
    with pytest.raises(ProtocolError, match="position"):
        decode({"type": "audio", "seq": 0, "position": position, "pcm": b"\0\0"})


def test_numbers_from_javascript_count_as_whole() -> None:
    message = decode({"type": "audio", "seq": 3.0, "position": 960.0, "pcm": b"\0\0"})
    assert message == protocol.Audio(3, 960, b"\0\0")


def test_deep_and_long_messages_are_refused() -> None:
    nested: Any = 0
    for _ in range(400):
        nested = [nested]
    for data in (msgpack.packb({"type": "stop", "reason": nested}), bytes(protocol.MAX_MESSAGE + 1)):
        with pytest.raises(ProtocolError):
            protocol.decode(data)
    with pytest.raises(ProtocolError):
        protocol.decode(b"\x91" * 60_000)
