"""The way to a client over data channels: audio that is late is dropped, not queued."""

from __future__ import annotations

from realtime import protocol
from realtime.session import Block
from realtime.transports.webrtc.peer import Peer

AUDIO_WAITING = 8_192  # bytes in the audio channel above which blocks are dropped
CONTROL_WAITING = 262_144  # bytes in the control channel above which the client counts as gone


class DataChannelOutbox:
    """Sends messages and audio to one client without ever making the caller wait."""

    def __init__(self, peer: Peer) -> None:
        self.dropped = 0
        self._peer = peer
        self._finished = False

    def send(self, message: bytes) -> None:
        """Send a message that must arrive."""
        channel = self._peer.control
        if channel is None or channel.readyState != "open":
            return  # the connection is over, and its reader sees it, too
        if channel.bufferedAmount > CONTROL_WAITING:
            self._peer.vanish()  # reads nothing: no use talking on
            return
        channel.send(message)

    def send_audio(self, block: Block, seq: int) -> None:
        """Send a converted block, or drop it when the client does not keep up."""
        channel = self._peer.audio
        if channel is None or channel.readyState != "open" or self._finished:
            return
        if channel.bufferedAmount > AUDIO_WAITING:
            self.dropped += 1
            return
        held = block.session.handed_over(block)
        channel.send(
            protocol.encode("audio", seq=seq, position=block.position, pcm=block.pcm, held_us=round(held * 1e6))
        )

    def finish(self) -> None:
        """Send no more audio, and let whoever reads the connection close it."""
        self._finished = True
        self._peer.hang_up()
