"""What a browser's offer asks for, and what is added to its answer."""

from __future__ import annotations

from dataclasses import dataclass

from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription

from realtime.errors import LiveError

MAX_OFFER = 65_536  # characters
MAX_CANDIDATES = 64
MAX_SECTIONS = {"application": 1, "audio": 1}
LEAST_BITRATE, MOST_BITRATE = 32_000, 128_000  # bits per second
BITRATE = 96_000  # unless the offer says otherwise


class BadOffer(LiveError):
    """An offer that is no session description, or asks for what there is not."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "invalid_offer", what, "offer data channels, and at most one audio track; see docs/protocol.md"
        )


class NoAnswer(LiveError):
    """This server cannot make a connection just now."""

    def __init__(self, what: str) -> None:
        super().__init__("service_unavailable", what, "use the WebSocket /ws/live")


@dataclass(frozen=True)
class AskedTrack:
    """How the other side wants to hear the voice (RFC 7587 section 6.1)."""

    bitrate: int  # bits per second
    channels: int


def read_offer(sdp: str) -> AskedTrack | None:
    """The audio track that an offer has, if it has one; data channels it must have.

    Raises:
        BadOffer: it is too large, or asks for what there is not.
        ValueError, LookupError, TypeError, AttributeError, AssertionError: aiortc's parser cannot read it.
    """
    if len(sdp) > MAX_OFFER:
        raise BadOffer(f"an offer of {len(sdp)} characters is over {MAX_OFFER}")
    if sdp.count("\nm=") > len(MAX_SECTIONS) or sdp.count("\na=candidate:") > MAX_CANDIDATES:
        raise BadOffer("the offer has too many media sections or addresses")
    media = SessionDescription.parse(sdp).media
    kinds = [section.kind for section in media]
    if any(kinds.count(kind) > MAX_SECTIONS.get(kind, 0) for kind in kinds):
        raise BadOffer("the offer is for more than data channels and one audio track")
    if "application" not in kinds:
        raise BadOffer("the offer has no data channels")
    return next((_asked(section) for section in media if section.kind == "audio"), None)


def _asked(section: MediaDescription) -> AskedTrack:
    codec = next((c for c in section.rtp.codecs if c.mimeType.lower() == "audio/opus"), None)
    if codec is None or section.direction != "sendrecv":
        raise BadOffer("the audio track must be Opus, and go both ways (sendrecv)")
    bitrate = _number(codec, "maxaveragebitrate", BITRATE)
    if bitrate < LEAST_BITRATE:
        raise BadOffer(f"maxaveragebitrate={bitrate} is too little for singing: allow {LEAST_BITRATE} or more")
    return AskedTrack(min(bitrate, MOST_BITRATE), 2 if _number(codec, "stereo", 0) == 1 else 1)


def _number(codec: RTCRtpCodecParameters, name: str, default: int) -> int:
    value = codec.parameters.get(name, default)
    if not isinstance(value, int) and not (isinstance(value, str) and value.isdecimal() and len(value) < 10):
        raise BadOffer(f"{name} of the audio track is no number")
    return int(value)


def ask_for_small_packets(answer: str, track: AskedTrack) -> str:
    """An answer that asks the browser to send as this server does: every 10 ms, silence too, with its error
    correction (RFC 7587 section 6.1), at the bit rate that it asked for itself.
    """
    wishes = f"minptime=10;useinbandfec=1;usedtx=0;maxaveragebitrate={track.bitrate}"
    lines: list[str] = []
    for line in answer.splitlines():
        lines.append(line)
        if line.startswith("a=rtpmap:") and "opus/" in line:
            kind = line.removeprefix("a=rtpmap:").split()[0]
            lines += [f"a=fmtp:{kind} {wishes}", "a=ptime:10"]
    return "\r\n".join([*lines, ""])
