"""Clients of each live transport: what the page does, in Python, but for the sound card.

A further transport is a class with the methods of `Line` and an entry in `LINES`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol

import aiohttp
import msgpack
import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
    rtcsctptransport,
)

from realtime.protocol import Mark
from realtime.transports.webrtc.offer import BITRATE
from realtime.transports.webrtc.track import PacketTap, RtpClock, VoiceTrack
from realtime.transports.webrtc.window import widen

OPEN_TIMEOUT_S = 15.0
MOST_UNSENT = 8192  # bytes
FIRST_WINDOW = 10 * rtcsctptransport.USERDATA_MAX_LENGTH  # bytes; cwnd_mtus_initial of dcsctp_options.h ...
SHORTEST_TIMEOUT_S = 0.4  # ... and its rto_min

Message = dict[str, Any]
Hear = Callable[[Message], None]


class Line(Protocol):
    """One connection to the server.

    `audio` and `control` messages are maps of docs/protocol.md; a packet of a track is heard as an `audio`
    message with `opus` in place of `pcm`.
    """

    async def open(self, address: str, hear: Hear) -> None:
        """Connect to a server (host:port); `hear` is called with every message that comes, as it comes."""
        ...

    async def send(self, message: Message) -> None:
        """Send a message that must arrive."""
        ...

    def sing(self, seq: int, position: int, pcm: bytes) -> None:
        """Send a frame at once, or not at all where `MOST_UNSENT` bytes wait already, as the page does."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


class WebSocketLine:
    """`/ws/live`: everything over one TCP connection."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._unsent: Callable[[], int] = lambda: 0

    async def open(self, address: str, hear: Hear) -> None:
        """Connect, and begin to read and to write."""
        self._session = aiohttp.ClientSession()
        socket = await self._session.ws_connect(f"ws://{address}/ws/live", max_msg_size=0, compress=0)
        self._socket = socket
        transport: asyncio.Transport = socket._conn.transport  # type: ignore[union-attr,assignment]
        self._unsent = transport.get_write_buffer_size
        self._tasks = [
            asyncio.create_task(self._read(socket, hear)),
            asyncio.create_task(self._write(socket)),
        ]

    async def send(self, message: Message) -> None:
        """Queue it."""
        self._outbox.put_nowait(msgpack.packb(message))

    def sing(self, seq: int, position: int, pcm: bytes) -> None:
        """Queue a frame."""
        if self._unsent() > MOST_UNSENT:
            return
        message = {"type": "audio", "seq": seq, "position": position, "pcm": pcm}
        self._outbox.put_nowait(msgpack.packb(message))

    async def close(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        if self._session is not None:
            await self._session.close()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, hear: Hear) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                hear(msgpack.unpackb(message.data))

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await socket.send_bytes(await self._outbox.get())


class DataLine:
    """`POST /api/v1/live/offer`: frames over an unordered data channel that never sends twice.

    Its SCTP begins with the window of Chromium's (dcSCTP) and has its shortest timeout; like that, it halves
    the window at every loss, down to four packets.

    Args:
        roomy: let the window have the floor that the server's has, as no browser does: what is left is not the
            doing of this side's congestion control.
    """

    def __init__(self, roomy: bool = False) -> None:
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._control = self._connection.createDataChannel("control")
        self._audio = self._connection.createDataChannel("audio", ordered=False, maxRetransmits=0)
        transport = self._connection.sctp
        assert transport is not None
        transport._cwnd = FIRST_WINDOW
        rtcsctptransport.SCTP_RTO_MIN = SHORTEST_TIMEOUT_S  # type: ignore[assignment]
        if roomy:
            widen(transport)

    async def open(self, address: str, hear: Hear) -> None:
        """Offer, and wait until both channels are open."""
        opened = [_opened(channel) for channel in (self._control, self._audio)]
        for channel in (self._control, self._audio):
            channel.on("message", lambda data: hear(msgpack.unpackb(data)))
        await _call(self._connection, address)
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await asyncio.gather(*opened)

    async def send(self, message: Message) -> None:
        """Send it over the channel that loses nothing."""
        self._control.send(msgpack.packb(message))

    def sing(self, seq: int, position: int, pcm: bytes) -> None:
        """Send a frame over the channel that waits for nothing."""
        if self._audio.bufferedAmount > MOST_UNSENT:
            return
        message = {"type": "audio", "seq": seq, "position": position, "pcm": pcm}
        self._audio.send(msgpack.packb(message))

    async def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(ConnectionError):
            await self._connection.close()


class TrackLine:
    """`POST /api/v1/live/offer`: an Opus track both ways, and a data channel for all other messages.

    Args:
        wishes: how the voice is to be heard, as parameters of Opus (RFC 7587 section 6.1).
    """

    def __init__(self, wishes: str = "maxaveragebitrate=96000") -> None:
        self._wishes = wishes
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._control = self._connection.createDataChannel("control")
        self._track = VoiceTrack(BITRATE, channels=1)
        self._clock: RtpClock | None = None

    async def open(self, address: str, hear: Hear) -> None:
        """Offer, and wait until the channel is open and the track has begun."""
        opened = _opened(self._control)

        def message(data: bytes) -> None:
            content = msgpack.unpackb(data)
            if content["type"] == "start" and "track" in content:
                self._clock = RtpClock(Mark(**content["track"]))
            hear(content)

        def packet(timestamp: int, payload: bytes) -> None:
            if self._clock is not None:
                hear({"type": "audio", "position": self._clock.position(timestamp), "opus": payload})

        self._control.on("message", message)
        transceiver = self._connection.addTransceiver("audio", direction="sendrecv")
        PacketTap(packet).put_into(transceiver.receiver)
        self._track.send_by(transceiver.sender)
        await _call(self._connection, address, self._wishes)
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await opened

    async def send(self, message: Message) -> None:
        """Send it over the channel; a `start` tells where the track is."""
        if message["type"] == "start":
            message = {**message, "track": asdict(await self._track.mark())}
        self._control.send(msgpack.packb(message))

    def sing(self, seq: int, position: int, pcm: bytes) -> None:
        """Send a frame by the track."""
        self._track.send(position, np.frombuffer(pcm, "<i2"))

    async def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(ConnectionError):
            await self._connection.close()


async def _call(connection: RTCPeerConnection, address: str, wishes: str = "") -> None:
    """Offer, and take the answer."""
    await connection.setLocalDescription(await connection.createOffer())
    sdp = connection.localDescription.sdp
    if wishes:
        lines = sdp.splitlines()
        at, kind = next((i, line[9:].split()[0]) for i, line in enumerate(lines) if "opus/48000" in line)
        sdp = "\r\n".join([*lines[: at + 1], f"a=fmtp:{kind} {wishes}", *lines[at + 1 :], ""])
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{address}/api/v1/live/offer", json={"type": "offer", "sdp": sdp}) as response,
    ):
        response.raise_for_status()
        answer = await response.json()
    await connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))


def _opened(channel: RTCDataChannel) -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def opened() -> None:
        if not done.done():
            done.set_result(None)

    channel.on("open", opened)
    return done


LINES: dict[str, Callable[[], Line]] = {
    "ws": WebSocketLine,
    "data": DataLine,
    "track": TrackLine,
    "data_roomy": functools.partial(DataLine, roomy=True),
}
