import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from auto_voice.pictures import MOST_BYTES, SIDE, InvalidPicture, draw

RED, GREEN, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 0)


def picture(height: int = 300, width: int = 500) -> np.ndarray:
    """The left half is red, the right one green above and black below."""
    made = np.zeros((height, width, 3), np.uint8)
    made[:, : width // 2] = RED
    made[: height // 2, width // 2 :] = GREEN
    return made


def encoded(codec: str, pixels: np.ndarray) -> bytes:
    encoder = av.CodecContext.create(codec, "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt = {"png": "rgb24", "mjpeg": "yuvj444p", "libwebp": "bgra"}[codec]
    encoder.time_base = Fraction(1)
    frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=encoder.pix_fmt)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def corners(png: bytes) -> list[tuple[int, ...]]:
    """Rounded colours near the corners: above left and right, below left and right."""
    decoder = av.CodecContext.create("png", "r")
    (frame,) = [*decoder.decode(av.Packet(png)), *decoder.decode(None)]
    shown = frame.to_ndarray(format="rgb24")
    side = len(shown)
    assert shown.shape == (side, side, 3)
    near, far = side // 8, side - side // 8
    return [
        tuple(int(c > 128) * 255 for c in shown[y, x])
        for y, x in ((near, near), (near, far), (far, near), (far, far))
    ]


@pytest.mark.parametrize("codec", ["png", "mjpeg", "libwebp"])
@pytest.mark.parametrize("shape", [(300, 500), (500, 300), (40, 60)])
def test_the_middle_of_a_picture_is_kept(tmp_path: Path, codec: str, shape: tuple[int, int]) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded(codec, picture(*shape)))
    drawn = draw(path)
    assert struct.unpack(">II", drawn[16:24]) == (min(SIDE, *shape),) * 2
    assert corners(drawn) == [RED, GREEN, RED, BLACK]


def test_a_telephone_that_was_held_upright(tmp_path: Path) -> None:
    upright = b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x112, 3, 1, 6, 0)
    whole = encoded("mjpeg", picture())
    path = tmp_path / "picture"
    path.write_bytes(whole[:2] + b"\xff\xe1" + struct.pack(">H", len(upright) + 2) + upright + whole[2:])
    drawn = draw(path)
    assert corners(drawn) == [RED, RED, BLACK, GREEN]
    assert b"Exif" not in drawn


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    png = encoded("png", picture())
    huge = png[:16] + struct.pack(">II", 100_000, 100_000) + png[24:]
    path = tmp_path / "picture"
    for data in (b"", b"<svg/>", b"GIF89a" + bytes(100), png[:60], huge, b"RIFF....WEBPVP8 ", b"\xff\xd8\xff"):
        path.write_bytes(data)
        with pytest.raises(InvalidPicture) as refused:
            draw(path)
        assert refused.value.suggestions
    path.write_bytes(png + bytes(MOST_BYTES))
    with pytest.raises(InvalidPicture, match="over 8 MB"):
        draw(path)
