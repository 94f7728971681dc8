"""Captured audio of one peer on its way to a conversation: by channel or by track, in order, gaps concealed."""

from __future__ import annotations

import asyncio

import numpy as np

from kernels import opus
from realtime import protocol
from realtime.conversation import Conversation
from realtime.decoder import OpusDecoder, Pcm, PcmDecoder
from realtime.errors import LiveError, ProtocolError
from realtime.protocol import Mark
from realtime.transports.webrtc.outbox import PeerOutbox
from realtime.transports.webrtc.peer import Peer
from realtime.transports.webrtc.receiver import FrameReceiver, Pace
from realtime.transports.webrtc.track import RtpClock

MAX_FRAMES_PER_S = 500  # 2 ms each
REASONS = ("late", "reordered", "duplicates", "damaged", "restarts")


class Intake:
    """Hears one peer, and lets its conversation hear what it says.

    Args:
        peer: whose messages and packets are taken from now on.
        outbox: the way back, told when the audio goes by track.
        conversation: is given every frame.
    """

    def __init__(self, peer: Peer, outbox: PeerOutbox, conversation: Conversation) -> None:
        self._peer = peer
        self._outbox = outbox
        self._conversation = conversation
        self._pace = Pace(MAX_FRAMES_PER_S, asyncio.get_running_loop().time)
        self._frames: FrameReceiver[Pcm] = FrameReceiver(PcmDecoder(), conversation.hear)
        self._packets: FrameReceiver[bytes] | None = None
        self._clock: RtpClock | None = None
        peer.on_audio = self._message
        peer.on_packet = self._packet
        conversation.network = self.figures

    async def begin(self, theirs: Mark) -> Mark:
        """Hear the peer's track from now on, and answer by the server's (see `realtime.conversation.Track`).

        Raises:
            LiveError: the offer had no track, or nothing can be sent.
        """
        track = self._peer.track
        if track is None:
            raise ProtocolError(
                "invalid_parameter", "this line has no audio track", "offer one, or leave it out"
            )
        try:
            ours = await track.mark()
        except TimeoutError as problem:
            raise LiveError(
                "timeout", "the audio track sends nothing", "connect again", fatal=True
            ) from problem
        self.close()  # an earlier start may have been refused
        self._clock = RtpClock(theirs)
        self._packets = FrameReceiver(OpusDecoder(), self._conversation.hear)
        self._outbox.by_track = True
        return ours

    def leave(self) -> None:
        """Let the audio go by the channel (see `realtime.conversation.Track`).

        Raises:
            ProtocolError: the peer has opened none.
        """
        if self._peer.audio is None:
            raise ProtocolError(
                "invalid_parameter", "there is no channel 'audio'", "open one, or say where the 'track' is"
            )
        self._outbox.by_track = False

    def figures(self) -> dict[str, float]:
        """What the way here did to frames, since the line began."""
        receiver = self._packets or self._frames
        counters = receiver.counters
        figures: dict[str, float] = {reason: getattr(counters, reason) for reason in REASONS}
        figures["recovered"] = counters.recovered  # samples
        figures["waited_ms"] = round(1000.0 * counters.waited, 3)
        figures["longest_wait_ms"] = round(1000.0 * counters.longest_stall, 3)
        return figures

    def close(self) -> None:
        """Let no timer outlive the connection."""
        self._frames.close()
        if self._packets is not None:
            self._packets.close()

    def _message(self, data: bytes) -> None:
        """A message of the audio channel."""
        if self._conversation.session is None or self._outbox.by_track or not self._pace.allows():
            return  # a straggler, or a flood
        try:
            message = protocol.decode(data)
            if not isinstance(message, protocol.Audio):
                raise ProtocolError("unexpected_message", "only audio comes this way", "send it by 'control'")
        except ProtocolError as problem:
            self._conversation.report(problem)
        else:
            self._frames.put(message.position, len(message.pcm) // 2, np.frombuffer(message.pcm, "<i2"))

    def _packet(self, timestamp: int, payload: bytes) -> None:
        """A packet of the audio track."""
        if self._packets is None or self._clock is None or not self._pace.allows():
            return
        position, samples = self._clock.position(timestamp), opus.samples_in(payload)
        if self._conversation.session is not None and samples and position >= 0:
            self._packets.put(position, samples, payload)
