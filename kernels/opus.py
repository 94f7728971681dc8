"""Opus (RFC 6716) by libopus, which PyAV brings along: one stream's encoder and decoder, 48 kHz.

FFmpeg's wrapper of the library has no call for a packet's forward error correction, and makes a frame object of
every packet. The library itself is called here instead.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import weakref
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 48_000  # Hz
LONGEST = 5_760  # samples (120 ms) in one packet
LARGEST = 1_275  # bytes of one frame
LOOKAHEAD = 120  # samples that the encoder's low-delay mode hears ahead: decoded sound comes so much later

_OK = 0
_RESTRICTED_LOWDELAY = 2051
_SET_BITRATE, _SET_VBR_CONSTRAINT, _SET_COMPLEXITY, _SET_DTX = 4002, 4020, 4010, 4016
_GET_LOOKAHEAD = 4027
_COMPLEXITY = 5  # of 10: 0.1 ms for 10 ms of sound; more is not heard at 32 kb/s and beyond

Pcm = NDArray[np.int16]


class OpusError(Exception):
    """The library refuses, or there is none."""


@functools.cache
def library() -> Any:
    """libopus, as PyAV's package or the system has it.

    Raises:
        OpusError: there is none.
    """
    package = Path(av.__file__).parent
    places = (package.parent / "av.libs", package / ".dylibs")
    found = [str(file) for place in places if place.is_dir() for file in sorted(place.glob("*opus*"))]
    name = next(iter(found), None) or ctypes.util.find_library("opus")
    if name is None:
        raise OpusError("no libopus was found: install the system's (Debian: libopus0)")
    lib = ctypes.CDLL(name)
    pointer, number, data = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    for function, gives, takes in (
        ("opus_encoder_create", pointer, [number, number, number, ctypes.POINTER(number)]),
        ("opus_encoder_destroy", None, [pointer]),
        ("opus_encoder_ctl", number, [pointer, number]),  # variadic
        ("opus_encode", number, [pointer, pointer, number, pointer, number]),
        ("opus_decoder_create", pointer, [number, number, ctypes.POINTER(number)]),
        ("opus_decoder_destroy", None, [pointer]),
        ("opus_decode", number, [pointer, data, number, pointer, number, number]),
        ("opus_packet_get_nb_samples", number, [data, number, number]),
        ("opus_packet_has_lbrr", number, [data, number]),
    ):
        # an older library without the last of them decodes all the same
        if function == "opus_packet_has_lbrr" and not hasattr(lib, function):
            continue
        entry = getattr(lib, function)
        entry.restype, entry.argtypes = gives, takes
    return lib


def samples_in(packet: bytes) -> int:
    """How many samples of sound a packet holds; 0 when it is none (RFC 6716 section 3.4)."""
    return max(0, int(library().opus_packet_get_nb_samples(packet, len(packet), RATE)))


class Encoder:
    """One stream's way into packets: low delay, nothing left out in silence.

    Args:
        bitrate: bits per second.
        channels: 1, or 2 for a listener who wants both sides; both are the same.

    Raises:
        OpusError: no library, or it refuses.
    """

    def __init__(self, bitrate: int, channels: int = 1) -> None:
        self._lib = library()
        self._channels = channels
        problem = ctypes.c_int()
        self._state = self._lib.opus_encoder_create(RATE, channels, _RESTRICTED_LOWDELAY, ctypes.byref(problem))
        if problem.value != _OK:
            raise OpusError(f"libopus makes no encoder: error {problem.value}")
        self._finalizer = weakref.finalize(self, self._lib.opus_encoder_destroy, self._state)
        self._packet = ctypes.create_string_buffer(LARGEST)
        for request, value in (
            (_SET_BITRATE, bitrate),
            (_SET_COMPLEXITY, _COMPLEXITY),
            (_SET_VBR_CONSTRAINT, 1),
            (_SET_DTX, 0),
        ):
            self._set(request, value)

    @property
    def lookahead(self) -> int:
        """Samples that it hears ahead; `LOOKAHEAD`, as long as the library keeps its word."""
        value = ctypes.c_int()
        self._lib.opus_encoder_ctl(self._state, _GET_LOOKAHEAD, ctypes.byref(value))
        return value.value

    def encode(self, pcm: Pcm) -> bytes:
        """One packet of exactly one frame.

        Args:
            pcm: (samples,) int16; 120, 240, 480 or 960 of them.

        Raises:
            OpusError: another number of samples.
        """
        sound = np.ascontiguousarray(pcm if self._channels == 1 else np.repeat(pcm, self._channels))
        size = self._lib.opus_encode(self._state, sound.ctypes.data, len(pcm), self._packet, LARGEST)
        if size < 0:
            raise OpusError(f"libopus encodes no frame of {len(pcm)} samples: error {size}")
        return ctypes.string_at(self._packet, size)

    def _set(self, request: int, value: int) -> None:
        problem = self._lib.opus_encoder_ctl(self._state, request, ctypes.c_int(value))
        if problem != _OK:
            raise OpusError(f"libopus refuses setting {request} to {value}: error {problem}")


class Decoder:
    """One stream's way out of packets, mono whatever they are. It must be given them in order.

    Raises:
        OpusError: no library, or it refuses.
    """

    def __init__(self) -> None:
        self._lib = library()
        problem = ctypes.c_int()
        self._state = self._lib.opus_decoder_create(RATE, 1, ctypes.byref(problem))
        if problem.value != _OK:
            raise OpusError(f"libopus makes no decoder: error {problem.value}")
        self._finalizer = weakref.finalize(self, self._lib.opus_decoder_destroy, self._state)
        self._has_copy = getattr(self._lib, "opus_packet_has_lbrr", None)

    def decode(self, packet: bytes) -> Pcm | None:
        """(samples,) int16 of a packet; None when it is damaged."""
        return self._decode(packet, LONGEST, 0) if packet else None

    def previous(self, packet: bytes, samples: int) -> Pcm | None:
        """What a packet knows of the frame before it, which was lost: its forward error correction.

        Args:
            packet: the one behind the loss; decode it afterwards.
            samples: that were lost just before it.

        Returns:
            (at most `samples`,) int16, the last of them; None when the packet knows nothing (section 2.1.7).
        """
        frame = min(samples_in(packet), 960)
        if not 0 < frame <= samples or self._has_copy is None or self._has_copy(packet, len(packet)) <= 0:
            return None
        return self._decode(packet, frame, 1)

    def _decode(self, packet: bytes, most: int, correct: int) -> Pcm | None:
        sound = np.empty(most, np.int16)
        count = self._lib.opus_decode(self._state, packet, len(packet), sound.ctypes.data, most, correct)
        return None if count <= 0 else sound[:count]
