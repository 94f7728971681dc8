"""The audio track of a peer connection: Opus packets addressed by position, both ways.

aiortc holds back four packets from the start and, after one that is lost, many more for good; it knows no loss
concealment, and works out an audio level in Python for each frame that it encodes. Here its packets are taken
before its jitter buffer, and it is given packets rather than frames to send. Two private names of the pinned
aiortc are used for it; `tests/realtime/test_track.py` holds them to what they are used for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCRtpReceiver, RTCRtpSender
from aiortc.rtp import RtpPacket

from kernels import opus
from realtime.decoder import Pcm
from realtime.protocol import SAMPLE_RATE, Mark

FRAME = 480  # samples (10 ms) in every packet that is sent
WAITING = 16  # packets that may wait to be sent; more, and they are dropped
FIRST_PACKET_S = 5.0  # within which the connection must have sent something
TIME_BASE = Fraction(1, SAMPLE_RATE)
WRAP = 1 << 32  # RTP timestamps count modulo this


class RtpClock:
    """Positions of a track's RTP timestamps, which begin anywhere and wrap within a day (RFC 3550 5.1)."""

    def __init__(self, mark: Mark) -> None:
        self._timestamp, self._position = mark.timestamp, mark.position

    def position(self, timestamp: int) -> int:
        """Of the sample at a timestamp, which must be within 12 h of the one before."""
        ahead = (timestamp - self._timestamp) % WRAP
        if ahead >= WRAP // 2:
            ahead -= WRAP
        self._timestamp, self._position = timestamp, self._position + ahead
        return self._position


class PacketTap:
    """Stands where aiortc's jitter buffer would, and hands every packet on as it comes.

    Args:
        hear: called with the RTP timestamp and the payload; it must not raise.
    """

    def __init__(self, hear: Callable[[int, bytes], None]) -> None:
        self._hear = hear

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Take a packet: nothing is to be asked for again, and nothing is left for aiortc to decode."""
        if packet.payload:
            self._hear(packet.timestamp, packet.payload)
        return False, None

    def put_into(self, receiver: RTCRtpReceiver) -> None:
        """Take the packets of a receiver from now on."""
        receiver._RTCRtpReceiver__jitter_buffer = self  # type: ignore[attr-defined]


class VoiceTrack(MediaStreamTrack):
    """The converted voice on its way out: a packet for every 10 ms, sent at once.

    Args:
        bitrate: bits per second.
        channels: 1, or 2 where the other side asks for both.
    """

    kind = "audio"

    def __init__(self, bitrate: int, channels: int) -> None:
        super().__init__()
        self._encoder = opus.Encoder(bitrate, channels)
        self._packets: asyncio.Queue[av.Packet[Any]] = asyncio.Queue()
        self._asked = 0
        self._sent_one = asyncio.Event()
        self._sender: RTCRtpSender | None = None

    def send_by(self, sender: RTCRtpSender) -> None:
        """Let a sender send it."""
        self._sender = sender
        sender.replaceTrack(self)
        self._put(
            0, self._encoder.encode(np.zeros(FRAME, np.int16))
        )  # its RTP timestamp tells where aiortc began to count

    async def mark(self) -> Mark:
        """Where position 0 is, as the other side hears it: later by what the encoder hears ahead.

        Raises:
            TimeoutError: the connection sends nothing.
        """
        async with asyncio.timeout(FIRST_PACKET_S):
            await self._sent_one.wait()
        assert self._sender is not None
        began: int = self._sender._RTCRtpSender__rtp_timestamp  # type: ignore[attr-defined]
        return Mark((began + self._encoder.lookahead) % WRAP, 0)

    def send(self, position: int, pcm: Pcm) -> bool:
        """Encode and send what renders the samples from `position` on; False where too much waits already.

        Args:
            position: of the captured sample that the first one renders.
            pcm: (samples,) int16, a multiple of 10 ms.
        """
        if self._packets.qsize() >= WAITING:
            return False
        for at in range(0, len(pcm), FRAME):
            self._put(position + at, self._encoder.encode(pcm[at : at + FRAME]))
        return True

    async def recv(self) -> av.Packet[Any]:
        """The next packet (called by aiortc once the one before it is on its way)."""
        self._asked += 1
        if self._asked == 2:
            self._sent_one.set()
        return await self._packets.get()

    def _put(self, timestamp: int, payload: bytes) -> None:
        packet = av.Packet(payload)
        packet.pts, packet.time_base = timestamp, TIME_BASE
        self._packets.put_nowait(packet)
