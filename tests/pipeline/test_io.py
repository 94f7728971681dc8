import io as std_io
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline import io
from pipeline.errors import (
    AudioTooShort,
    FileTooLarge,
    InvalidAudio,
    InvalidAudioFormat,
    InvalidDuration,
    InvalidSampleRate,
    PipelineError,
)

RATE = 48_000


def tone(seconds: float = 1.0, hz: float = 440.0, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def wav(samples: np.ndarray, rate: int, kind: int = 1, bits: int = 16) -> bytes:
    """A RIFF file by hand: samples (n, channels) of the type that kind (1 PCM, 3 float) and bits say."""
    data, channels = samples.tobytes(), samples.shape[1]
    block = channels * bits // 8
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, channels, rate, rate * block, block, bits)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
        + fmt
        + struct.pack("<4sI", b"data", len(data))
        + data
    )


def decode(source: Any, **limits: Any) -> io.Audio:
    return io.decode(source, sample_rate=RATE, max_seconds=limits.pop("max_seconds", 60), **limits)


def container(name: str, codec: str, rate: int, channels: str = "mono") -> bytes:
    buffer = std_io.BytesIO()
    with av.open(buffer, "w", format=name) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout=channels)
        count = 1 if channels == "mono" else 2
        pcm = (tone(1.0, rate=rate) * 32767).astype(np.int16)
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout=channels, rate=rate, frame_size=size
        )
        frame = av.AudioFrame.from_ndarray(np.repeat(pcm, count)[None], format="s16", layout=channels)
        frame.sample_rate = rate
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("wav", "pcm_s16le", 44_100, "stereo"),
        ("wav", "pcm_s24le", 96_000, "mono"),
        ("wav", "pcm_f32le", 192_000, "mono"),
        ("wav", "pcm_s16le", 8_000, "mono"),
        ("flac", "flac", 44_100, "stereo"),
        ("mp3", "libmp3lame", 44_100, "mono"),
        ("ogg", "libopus", 48_000, "mono"),
        ("webm", "libopus", 48_000, "mono"),
        ("mp4", "aac", 44_100, "stereo"),
    ],
)
def test_decodes_every_format_to_the_same_tone(name: str, codec: str, rate: int, channels: str) -> None:
    source = std_io.BytesIO(container("ipod" if name == "mp4" else name, codec, rate, channels))
    audio = decode(source)
    assert audio.sample_rate == RATE
    assert 0.95 < audio.seconds < 1.15
    spectrum = np.abs(np.fft.rfft(audio.samples[4800:43_200] * np.hanning(38_400)))
    assert abs(np.argmax(spectrum) * RATE / 38_400 - 440) < 3
    assert 0.3 < np.sqrt(np.mean(audio.samples[4800:43_200] ** 2)) < 0.4


def test_eight_channels_are_averaged_and_nine_refused() -> None:
    one = (tone() * 32767).astype(np.int16)
    eight = np.zeros((len(one), 8), np.int16)
    eight[:, 2] = one
    audio = decode(wav(eight, RATE))
    assert audio.channels == 8
    assert np.abs(audio.samples - tone() / 8).max() < 1e-3
    with pytest.raises(InvalidAudioFormat):
        decode(wav(np.zeros((480, 9), np.int16), RATE))


@pytest.mark.parametrize("rate", [0, 1, 4_000, 400_000])
def test_impossible_rates_are_refused(rate: int) -> None:
    with pytest.raises((InvalidSampleRate, InvalidAudio)):
        decode(wav(np.zeros((480, 1), np.int16), rate))


def test_few_wrong_numbers_become_silence_and_many_are_refused() -> None:
    samples = tone()[:, None].copy()
    samples[100:110] = np.nan
    samples[200:205] = np.inf
    audio = decode(wav(samples, RATE, kind=3, bits=32))
    assert audio.replaced == 15
    assert np.isfinite(audio.samples).all()
    samples[::10] = np.nan
    with pytest.raises(InvalidAudio, match="not numbers"):
        decode(wav(samples, RATE, kind=3, bits=32))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"hello, I am no audio at all" * 100, bytes(10_000)])
def test_what_is_no_audio_is_refused(content: bytes) -> None:
    with pytest.raises(PipelineError) as caught:
        decode(content)
    assert caught.value.code in ("invalid_audio", "invalid_audio_format")
    assert caught.value.message


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises((AudioTooShort, InvalidAudio)):
        decode(wav(np.zeros((0, 1), np.int16), RATE))


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7])
def test_a_truncated_mp3_gives_what_is_there_or_a_clear_error(keep: float) -> None:
    whole = container("mp3", "libmp3lame", 44_100)
    try:
        audio = decode(whole[: int(keep * len(whole))])
    except PipelineError as problem:
        assert problem.code == "invalid_audio"
    else:
        assert audio.seconds < 1.2


def test_a_ten_hour_file_is_left_as_soon_as_the_limit_is_passed() -> None:
    class Endless(std_io.RawIOBase):
        """A wav that says it is ten hours long, and counts what is read of it."""

        size, place, read_bytes = 44 + 2 * RATE * 36_000, 0, 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            self.place = offset + (0, self.place, self.size)[whence]
            return self.place

        def tell(self) -> int:
            return self.place

        def read(self, count: int = -1) -> bytes:
            head = wav(np.zeros((0, 1), np.int16), RATE)[:40] + struct.pack("<I", self.size - 44)
            count = max(0, min(count, self.size - self.place))
            data = (head[self.place :] + bytes(count))[:count]
            self.place += len(data)
            self.read_bytes += len(data)
            return data

    endless: Any = Endless()
    with pytest.raises(InvalidDuration, match="60 s"):
        decode(endless)
    assert endless.read_bytes < 2 * RATE * 120


def test_a_two_gigabyte_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.truncate(2 * 2**30)  # sparse
    with pytest.raises(FileTooLarge, match="2048 MB"):
        decode(path, max_bytes=100 * 2**20)


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidAudio, match=r"nowhere\.wav"):
        decode(tmp_path / "nowhere.wav")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_encodes_what_decodes_to_the_same(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"tone{suffix}"
    io.encode(path, tone(), RATE)
    audio = decode(path)
    assert abs(np.sqrt(np.mean(audio.samples**2)) - 0.3535) < 0.02
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    io.encode(path, np.stack([tone(rate=44_100), tone(rate=44_100)]), 44_100)
    again = decode(path)
    assert again.channels == 2
    assert abs(again.seconds - 1.0) < 0.06


def test_unknown_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidAudioFormat, match="xyz"):
        io.encode(tmp_path / "a.xyz", tone(), RATE)
