import io as std_io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.errors import InvalidAudio, InvalidAudioFormat
from pipeline.reader import AudioReader


def surround(active: int) -> bytes:
    """A 5.1 file of which one channel sounds."""
    buffer = std_io.BytesIO()
    with av.open(buffer, "w", format="wav") as out:
        stream: Any = out.add_stream("pcm_f32le", rate=48_000, layout="5.1")
        pcm = np.zeros((6, 4800), np.float32)
        pcm[active] = 0.5
        frame = av.AudioFrame.from_ndarray(pcm.T.reshape(1, -1).copy(), format="flt", layout="5.1")
        frame.sample_rate = 48_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("active", "left", "right"),
    [(0, 0.5, 0), (1, 0, 0.5), (2, 0.35, 0.35), (3, 0, 0), (4, 0.35, 0), (5, 0, 0.35)],
)
def test_five_point_one_is_mixed_down_after_the_standard(active: int, left: float, right: float) -> None:
    with AudioReader(surround(active)) as reader:
        assert reader.channels == 6
        stereo = np.concatenate(list(reader.blocks(channels=2)), 1)
    scale = 1 + 2 * 0.7071  # so that all channels together cannot clip
    assert stereo.mean(1) == pytest.approx([left / scale, right / scale], abs=0.002)


def test_mono_becomes_both_sides(tmp_path: Any) -> None:
    from pipeline import io

    path = tmp_path / "mono.wav"
    io.encode(path, np.full(4800, 0.25, np.float32), 48_000)
    with AudioReader(path) as reader:
        assert reader.seconds == pytest.approx(0.1)
        stereo = np.concatenate(list(reader.blocks(channels=2)), 1)
    assert stereo.shape == (2, 4800)
    assert np.abs(stereo - 0.25).max() < 1e-4


@pytest.mark.parametrize(
    "content",
    [
        b"ffconcat version 1.0\nfile upload\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.wav\n#EXT-X-ENDLIST\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 9 RTP/AVP 0\n",
    ],
)
def test_playlists_open_no_other_files(content: bytes, tmp_path: Path) -> None:
    """One that names itself would open itself without end."""
    from pipeline import io

    io.encode(tmp_path / "other.wav", np.full(48_000, 0.25, np.float32), 48_000)
    (tmp_path / "upload").write_bytes(content)
    for source in (tmp_path / "upload", content):
        with pytest.raises(InvalidAudio):
            AudioReader(source)


def test_samples_that_nobody_uses_are_refused_in_words() -> None:
    import struct

    data = bytes(8 * 480)
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 48_000, 48_000 * 8, 8, 64)
    head = struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
    content = head + fmt + struct.pack("<4sI", b"data", len(data)) + data
    with pytest.raises((InvalidAudioFormat, InvalidAudio)), AudioReader(content) as reader:
        list(reader.blocks(channels=2))


def test_a_codec_that_nobody_knows_is_refused_in_words(tmp_path: Path) -> None:
    from pipeline import io

    path = tmp_path / "odd.wav"
    io.encode(path, np.zeros(4800, np.float32), 48_000)
    data = bytearray(path.read_bytes())
    data[20:22] = b"\xee\xee"  # the codec's number
    with pytest.raises(InvalidAudioFormat, match="nothing here can decode"):
        AudioReader(bytes(data))


def test_numbers_that_are_none_are_silence_and_counted() -> None:
    buffer = std_io.BytesIO()
    with av.open(buffer, "w", format="wav") as out:
        stream: Any = out.add_stream("pcm_f64le", rate=48_000, layout="stereo")
        pcm = np.full((4800, 2), 0.25)
        pcm[10, 0], pcm[20, 1], pcm[30, 0] = np.nan, np.inf, 1e300
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="dbl", layout="stereo")
        frame.sample_rate = 48_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with AudioReader(buffer.getvalue()) as reader:
        mono = np.concatenate(list(reader.blocks(channels=1)), 1)[0]
    assert reader.replaced == 3
    assert mono[[10, 20, 30]] == pytest.approx([0.125] * 3)  # the other channel's half
    assert np.delete(mono, [10, 20, 30]) == pytest.approx(0.25)
