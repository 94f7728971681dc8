"""Audio to the bytes of a file as it is made, for who listens before the end."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from kernels.resampler import StreamResampler
from pipeline.errors import InvalidAudioFormat

Float = NDArray[np.float32]

ENCODERS = {
    ".wav": ("wav", "pcm_s16le"),
    ".flac": ("flac", "flac"),
    ".ogg": ("ogg", "libopus"),
    ".mp3": ("mp3", "libmp3lame"),
}
OPUS_RATE = 48_000  # Opus knows no 44.1 kHz
FORMATS = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "mp3": "audio/mpeg"}


class Track:
    """The one audio stream of a container that is being written.

    Args:
        container: an output container of PyAV.
        codec: of ENCODERS.
        sample_rate: Hz, of what is pushed.
        channels: 1 or 2.
    """

    def __init__(self, container: Any, codec: str, sample_rate: int, channels: int) -> None:
        self._container = container
        self._rate = OPUS_RATE if codec == "libopus" else sample_rate
        self._layout = "mono" if channels == 1 else "stereo"
        self._resampler = StreamResampler(sample_rate, self._rate, channels)
        self._nothing = np.zeros((0, channels), np.float32)
        self._stream: Any = container.add_stream(codec, rate=self._rate, layout=self._layout)
        self._place = 0

    def push(self, samples: Float) -> None:
        """Take (samples, channels) in [-1, 1]; louder is clipped."""
        self._encode(self._resampler.push(samples))

    def finish(self) -> None:
        """Encode the rest."""
        self._encode(self._resampler.finish(self._nothing))
        self._container.mux(self._stream.encode(None))

    def _encode(self, samples: Float) -> None:
        if not len(samples):
            return
        pcm = (np.clip(samples, -1.0, 1.0) * 32767).round().astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts = self._place
        self._place += len(samples)
        self._container.mux(self._stream.encode(frame))


class _Pipe:
    """A file that is written to and never looked at again: headers cannot be mended later."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class StreamEncoder:
    """Encodes mono audio part by part.

    Args:
        name: one of FORMATS; a WAV's header says that its length is not known.
        sample_rate: Hz.

    Raises:
        InvalidAudioFormat: another name.
    """

    def __init__(self, name: str, sample_rate: int) -> None:
        if name not in FORMATS:
            raise InvalidAudioFormat(f"cannot write {name[:10]!r}", f"use one of {', '.join(FORMATS)}")
        container, codec = ENCODERS[f".{name}"]
        self._pipe = _Pipe()
        options = {"page_duration": "200000"} if container == "ogg" else {}
        self._container = av.open(self._pipe, "w", format=container, options=options, buffer_size=4096)
        self._track = Track(self._container, codec, sample_rate, 1)

    def push(self, samples: Float) -> bytes:
        """Take (samples,) in [-1, 1], louder is clipped; give the bytes that are ready."""
        self._track.push(samples[:, np.newaxis])
        return self._pipe.take()

    def finish(self) -> bytes:
        """Give the rest."""
        self._track.finish()
        self._container.close()
        return self._pipe.take()
