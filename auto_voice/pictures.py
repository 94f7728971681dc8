"""Pictures of voices: whatever comes is drawn anew, so that nothing of a stranger's file is served."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from pipeline.errors import PipelineError

SIDE = 256  # pixels of what is kept, a square
MOST_BYTES = 8 << 20
MOST_PIXELS = 40_000_000
KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "mjpeg"}
ADVICE = "send a PNG, JPEG or WebP of at most 8 MB"


class InvalidPicture(PipelineError):
    """Something that is not a picture, or not one that is taken."""

    code = "invalid_picture"


def draw(path: Path) -> bytes:
    """The middle of a picture, as a PNG of at most SIDE × SIDE pixels; meant for a process with limits.

    Args:
        path: a PNG, JPEG or WebP file. What else it says (places, devices) is not kept.

    Raises:
        InvalidPicture: another kind of file, a damaged or a huge one.
        OSError: it cannot be read.
    """
    if path.stat().st_size > MOST_BYTES:
        raise InvalidPicture(f"the picture is over {MOST_BYTES >> 20} MB", ADVICE)
    data = path.read_bytes()
    frame = _decode(data, _kind(data))
    side = min(frame.width, frame.height)
    kept = min(SIDE, side)
    scale = kept / side
    width, height = max(kept, round(frame.width * scale)), max(kept, round(frame.height * scale))
    pixels = frame.reformat(width, height, "rgba", interpolation="AREA").to_ndarray()
    left, top = (width - kept) // 2, (height - kept) // 2
    square = np.rot90(pixels[top : top + kept, left : left + kept], round(frame.rotation / 90) % 4)
    return _encode(np.ascontiguousarray(square))


def _kind(data: bytes) -> str:
    """The decoder of a file, by its first bytes."""
    for beginning, kind in KINDS.items():
        if data.startswith(beginning):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    raise InvalidPicture("that is no picture that can be shown", ADVICE)


def _decode(data: bytes, kind: str) -> av.VideoFrame:
    decoder = av.CodecContext.create(kind, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.options = {"max_pixels": str(MOST_PIXELS)}
    decoder.thread_count = 1
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except (FFmpegError, ValueError) as problem:
        raise InvalidPicture("the picture is damaged, or too large", ADVICE) from problem
    if not frames or min(frames[0].width, frames[0].height) < 1:
        raise InvalidPicture("the picture is empty", ADVICE)
    return frames[0]


def _encode(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    encoder = av.CodecContext.create("png", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt, encoder.time_base = "rgba", Fraction(1)
    frame = av.VideoFrame.from_ndarray(pixels, "rgba")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
