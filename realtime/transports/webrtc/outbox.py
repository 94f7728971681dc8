"""The way to a client over WebRTC: audio that is late is dropped, not queued."""

from __future__ import annotations

import numpy as np

from realtime import protocol
from realtime.session import Block
from realtime.transports.webrtc.peer import Peer

AUDIO_WAITING = 8_192  # bytes in the audio channel above which blocks are dropped
CONTROL_WAITING = 262_144  # bytes in the control channel above which the client counts as gone


class PeerOutbox:
    """Sends messages and audio to one client without ever making the caller wait.

    Attributes:
        by_track: audio goes by the track, not by a channel.
        dropped: blocks that were not sent because the client does not keep up.
    """

    def __init__(self, peer: Peer) -> None:
        self.dropped = 0
        self.by_track = False
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
        if self._finished:
            return
        if self.by_track:
            self._send_packet(block)
        else:
            self._send_message(block, seq)

    def finish(self) -> None:
        """Send no more audio, and let whoever reads the connection close it."""
        self._finished = True
        self._peer.hang_up()

    def _send_packet(self, block: Block) -> None:
        track = self._peer.track
        if track is None or track.readyState != "live":
            return
        if track.send(block.position, np.frombuffer(block.pcm, "<i2")):
            block.session.handed_over(block)
        else:
            self.dropped += 1

    def _send_message(self, block: Block, seq: int) -> None:
        channel = self._peer.audio
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount > AUDIO_WAITING:
            self.dropped += 1
            return
        held = block.session.handed_over(block)
        channel.send(
            protocol.encode("audio", seq=seq, position=block.position, pcm=block.pcm, held_us=round(held * 1e6))
        )
