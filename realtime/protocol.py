"""The live protocol: MessagePack maps in, typed messages out. Described in docs/protocol.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from pipeline.converters.base import Controls
from pipeline.converters.blend import check_share
from realtime.errors import ProtocolError

VERSION = 1
SAMPLE_RATE = 48_000
MAX_MESSAGE = 65_536  # bytes
MAX_FRAME = 4_800  # samples (100 ms)
MAX_POSITION = 2**53  # what a JavaScript number counts exactly
CONTROL_NAMES = ("pitch_semitones", "auto_pitch", "formant_semitones", "dry_wet", "gate_db")


@dataclass(frozen=True)
class Hello:
    """The client's first message."""

    version: int
    client: str


@dataclass(frozen=True)
class AskedBlend:
    """A second voice and how much of it is sung; without a voice, the blend ends."""

    voice: str | None
    share: float


@dataclass(frozen=True)
class Mark:
    """An RTP timestamp of an audio track, and the position of the sample that is heard at it."""

    timestamp: int
    position: int


@dataclass(frozen=True)
class Start:
    """Begin to convert, or go on where a line was lost; the rest is for when there is nothing to go on with."""

    voice: str
    blend: AskedBlend | None
    converter: str | None  # None: the one that sings this voice best
    user_id: str | None
    controls: dict[str, Any]
    resume: str | None = field(default=None, repr=False)  # a secret
    track: Mark | None = None  # of the client's audio track, which then carries the audio


@dataclass(frozen=True)
class Audio:
    """One captured frame: `pcm` is 16-bit little-endian mono from sample `position` on."""

    seq: int
    position: int
    pcm: bytes
    heard: bool = True  # as against made up for one that was lost


@dataclass(frozen=True)
class ChangeControls:
    """New values for some controls, and perhaps another voice or blend."""

    voice: str | None
    blend: AskedBlend | None
    controls: dict[str, Any]


@dataclass(frozen=True)
class ClientStats:
    """What the page counts; `t` comes back unchanged."""

    t: float | None
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """The client is done."""

    reason: str


Message = Hello | Start | Audio | ChangeControls | ClientStats | Stop


def malformed(what: str) -> ProtocolError:
    """The error for a message that is none."""
    return ProtocolError("malformed_message", what, "see docs/protocol.md")


def text_field(fields: dict[str, Any], name: str, default: str | None = None, most: int = 200) -> str:
    """A text of a message.

    Raises:
        ProtocolError: it is missing without a default, too long, or no text.
    """
    value = fields.get(name, default)
    if not isinstance(value, str) or len(value) > most:
        raise malformed(f"{name!r} must be a text of at most {most} characters")
    return value


def integer_field(fields: dict[str, Any], name: str, least: int = 0) -> int:
    """A whole number of a message, below 2^53.

    Raises:
        ProtocolError: it is missing, below `least`, or no such number.
    """
    value = fields.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JavaScript has no integers
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < MAX_POSITION:
        raise malformed(f"{name!r} must be a whole number from {'-2^53' if least < 0 else least} to 2^53")
    return value


def _controls(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in CONTROL_NAMES if name in fields}


def _blend(fields: dict[str, Any]) -> AskedBlend | None:
    if "blend" not in fields:
        return None
    blend = fields["blend"]
    if blend is None:
        return AskedBlend(None, 0.0)
    if not isinstance(blend, dict):
        raise malformed("'blend' must be a map of 'voice' and 'share', or null")
    if not isinstance(blend.get("voice"), str):
        raise malformed("'blend.voice' must be a text")
    voice = text_field(blend, "voice")
    try:
        return AskedBlend(voice, check_share(blend.get("share")))
    except ValueError as problem:
        raise ProtocolError("invalid_parameter", str(problem)) from problem


def _hello(fields: dict[str, Any]) -> Hello:
    return Hello(integer_field(fields, "version"), text_field(fields, "client", ""))


def _track(fields: dict[str, Any]) -> Mark | None:
    track = fields.get("track")
    if track is None:
        return None
    if not isinstance(track, dict):
        raise malformed("'track' must be a map of 'timestamp' and 'position'")
    mark = Mark(integer_field(track, "timestamp"), integer_field(track, "position"))
    if mark.timestamp >= 2**32:
        raise malformed("'track.timestamp' must be an RTP timestamp, below 2^32")
    return mark


def _start(fields: dict[str, Any]) -> Start:
    controls = fields.get("controls") or {}
    if not isinstance(controls, dict):
        raise malformed("'controls' must be a map")
    user_id = text_field(fields, "user_id") if fields.get("user_id") is not None else None
    resume = text_field(fields, "resume") if fields.get("resume") is not None else None
    return Start(
        text_field(fields, "voice"),
        _blend(fields),
        text_field(fields, "converter") if fields.get("converter") is not None else None,
        user_id,
        _controls(controls),
        resume,
        _track(fields),
    )


def _audio(fields: dict[str, Any]) -> Audio:
    pcm = fields.get("pcm")
    if not isinstance(pcm, bytes):
        raise malformed("'pcm' must be bytes")
    if not pcm:
        raise ProtocolError("frame_empty", "an audio frame holds no samples")
    if len(pcm) % 2:
        raise ProtocolError("frame_odd_length", "an audio frame must hold whole 16-bit samples")
    if len(pcm) > 2 * MAX_FRAME:
        raise ProtocolError(
            "frame_too_large",
            f"an audio frame holds {len(pcm) // 2} samples",
            f"send at most {MAX_FRAME} samples in a frame",
        )
    return Audio(integer_field(fields, "seq"), integer_field(fields, "position"), pcm)


def _change(fields: dict[str, Any]) -> ChangeControls:
    voice = text_field(fields, "voice") if fields.get("voice") is not None else None
    return ChangeControls(voice, _blend(fields), _controls(fields))


def _stats(fields: dict[str, Any]) -> ClientStats:
    numbers = {k: float(v) for k, v in fields.items() if isinstance(k, str) and isinstance(v, int | float)}
    return ClientStats(numbers.pop("t", None), numbers)


def _stop(fields: dict[str, Any]) -> Stop:
    return Stop(text_field(fields, "reason", ""))


_READERS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "hello": _hello,
    "start": _start,
    "audio": _audio,
    "controls": _change,
    "stats": _stats,
    "stop": _stop,
}


def unpack(data: bytes) -> tuple[str, dict[str, Any]]:
    """The type of a message and all of its fields.

    Raises:
        ProtocolError: anything but a MessagePack map with a `type`, whatever the bytes.
    """
    if len(data) > MAX_MESSAGE:
        raise ProtocolError(
            "malformed_message", f"a message of {len(data)} bytes is over {MAX_MESSAGE}", "send shorter frames"
        )
    try:
        fields = msgpack.unpackb(data, max_map_len=64, max_array_len=64, max_ext_len=0, max_str_len=4096)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as problem:
        raise malformed(f"not a MessagePack map: {problem}") from problem
    if not isinstance(fields, dict):
        raise malformed(f"a message must be a map, not {type(fields).__name__}")
    kind = fields.get("type")
    if not isinstance(kind, str):
        raise malformed(f"unknown message type {kind!r:.60}")
    return kind, fields


def decode(data: bytes) -> Message:
    """Read one message of a client.

    Raises:
        ProtocolError: anything but a message of the protocol, whatever the bytes.
    """
    kind, fields = unpack(data)
    if kind not in _READERS:
        raise malformed(f"unknown message type {kind!r:.60}")
    try:
        return _READERS[kind](fields)
    except OverflowError as problem:
        raise malformed(str(problem)) from problem


def encode(kind: str, **fields: Any) -> bytes:
    """One server message as bytes."""
    packed: bytes = msgpack.packb({"type": kind, **fields})
    return packed


def merge_controls(old: Controls, changes: dict[str, Any]) -> Controls:
    """`old` with some values changed.

    Raises:
        ProtocolError: a value out of range; nothing changes.
    """
    values = {name: getattr(old, name) for name in CONTROL_NAMES} | changes
    try:
        return Controls(**values)
    except ValueError as problem:
        raise ProtocolError("invalid_parameter", str(problem)) from problem
