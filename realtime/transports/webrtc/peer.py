"""One browser at the other end of WebRTC: its offer is answered, its channels carry the live protocol.

The browser opens the channels: `control` (reliable, in order) for all messages but audio, and for frames either
`audio` (unordered, never sent again) or an audio track.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidAccessError, OperationError

from kernels.opus import OpusError
from realtime.transports.webrtc.offer import (
    AskedTrack,
    BadOffer,
    NoAnswer,
    ask_for_small_packets,
    read_offer,
)
from realtime.transports.webrtc.track import PacketTap, VoiceTrack
from realtime.transports.webrtc.window import widen

log = logging.getLogger(__name__)

CONTROL, AUDIO = "control", "audio"
ANSWER_TIMEOUT_S = 8.0  # for gathering addresses (aiortc gives a STUN server 5 s) and the answer
FAREWELL_S = 0.5  # for what is still to be sent when the server hangs up
WAITING = 256  # control messages that may wait to be read

# what the parser of aiortc and its checks raise on descriptions that are none, or not of our kind
BAD_OFFER = (
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    InvalidAccessError,
    OperationError,
)


@dataclass(frozen=True)
class IceServer:
    """A STUN or TURN server."""

    urls: Sequence[str]
    username: str | None = None
    credential: str | None = None


class Peer:
    """One connection.

    Args:
        ice_servers: none, and only this machine's own addresses are offered.

    Attributes:
        on_audio: called on the event loop with each message of the audio channel; set it before `answer`.
        on_packet: the same for each packet of the audio track: its RTP timestamp, and its payload.
        track: the way to the other side's ears, where the offer has an audio track.
    """

    def __init__(self, ice_servers: Sequence[IceServer]) -> None:
        servers = [RTCIceServer(list(s.urls), s.username, s.credential) for s in ice_servers]
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self.on_audio: Callable[[bytes], None] = lambda message: None
        self.on_packet: Callable[[int, bytes], None] = lambda timestamp, payload: None
        self.track: VoiceTrack | None = None
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        self._opened = asyncio.Event()
        self._gone = False
        self._heard_at = asyncio.get_running_loop().time()
        self.control: RTCDataChannel | None = None
        self.audio: RTCDataChannel | None = None
        self._connection.on("datachannel", self._channel_opened)
        self._connection.on("connectionstatechange", self._state_changed)

    async def answer(self, offer: str) -> str:
        """Accept an offer; returns the answer, with all addresses in it.

        Raises:
            BadOffer: it is not one that can be accepted.
            NoAnswer: this machine's network does not let it.
        """
        try:
            asked = read_offer(offer)
            if asked is not None:
                self._add_track(asked)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
                if self._connection.sctp is not None:
                    widen(self._connection.sctp)
                answer = await self._connection.createAnswer()
                await self._connection.setLocalDescription(answer)
        except BAD_OFFER as problem:
            raise BadOffer(f"the offer cannot be accepted: {problem}"[:300]) from problem
        except (OSError, TimeoutError) as problem:
            raise NoAnswer(f"no addresses could be gathered: {problem or 'in time'}") from problem
        except OpusError as problem:
            raise NoAnswer(f"there is no Opus here: {problem}") from problem
        sdp = str(self._connection.localDescription.sdp)
        return sdp if asked is None else ask_for_small_packets(sdp, asked)

    def _add_track(self, asked: AskedTrack) -> None:
        """Be ready for an audio track, in Opus and nothing else."""
        self.track = VoiceTrack(asked.bitrate, asked.channels)
        transceiver = self._connection.addTransceiver("audio", direction="sendrecv")
        codecs = RTCRtpSender.getCapabilities("audio").codecs
        transceiver.setCodecPreferences([codec for codec in codecs if codec.name.lower() == "opus"])
        PacketTap(self._packet).put_into(transceiver.receiver)
        self.track.send_by(transceiver.sender)

    async def opened(self, timeout_s: float) -> bool:
        """Wait until the channels are open that are needed; False when they are not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._opened.wait()
        except TimeoutError:
            return False
        return not self._gone

    @property
    def silent_s(self) -> float:
        """Seconds since anything came."""
        return asyncio.get_running_loop().time() - self._heard_at

    async def receive(self, timeout_s: float) -> bytes | None:
        """The next control message; None once the other side is gone.

        Raises:
            TimeoutError: nothing came.
        """
        if self._gone and self._messages.empty():
            return None
        async with asyncio.timeout(timeout_s):
            return await self._messages.get()

    def hang_up(self) -> None:
        """Let the reader end, as if the other side had gone; what was sent still goes out."""
        if self._messages.full():
            self._messages.get_nowait()
        self._messages.put_nowait(None)

    def vanish(self) -> None:
        """Treat the other side as gone: it does not read, or cannot be reached."""
        if self._gone:
            return
        self._gone = True
        self._opened.set()
        self.hang_up()

    async def close(self) -> None:
        """Hang up once what must arrive has been sent, or has had its time."""
        deadline = asyncio.get_running_loop().time() + FAREWELL_S
        while not self._gone and self._sending() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # aiortc tells of no empty buffer
        self.vanish()
        await self._connection.close()

    def _sending(self) -> bool:
        """Whether something has not been acknowledged yet."""
        sctp = self._connection.sctp  # the pinned aiortc tells only of what it has not sent at all
        return sctp is not None and bool(sctp._outbound_queue or sctp._sent_queue or sctp._data_channel_queue)

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label == CONTROL and self.control is None:
            self.control = channel
            channel.on("message", self._control_message)
        elif channel.label == AUDIO and self.audio is None:
            self.audio = channel
            channel.on("message", self._audio_message)
        else:
            channel.close()
            return
        channel.on("close", self.vanish)
        if self.control is not None and (self.audio is not None or self.track is not None):
            self._opened.set()

    def _control_message(self, data: Any) -> None:
        if isinstance(data, str):
            data = data.encode()  # the protocol refuses it in words
        if self._messages.full():
            log.info("a WebRTC client sends messages faster than they can be read")
            self.vanish()
            return
        if not self._gone:
            self._heard_at = asyncio.get_running_loop().time()
            self._messages.put_nowait(data)

    def _audio_message(self, data: Any) -> None:
        if isinstance(data, bytes) and not self._gone:
            self._heard_at = asyncio.get_running_loop().time()
            self.on_audio(data)

    def _packet(self, timestamp: int, payload: bytes) -> None:
        if not self._gone:
            self._heard_at = asyncio.get_running_loop().time()
            self.on_packet(timestamp, payload)

    def _state_changed(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self.vanish()
