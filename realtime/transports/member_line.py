"""The WebSocket way to a member of a room: what must arrive, and audio of which the oldest is dropped."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
from collections import deque

from aiohttp import web

AUDIO_QUEUE = 24  # messages that may wait: a quarter of a second of blocks, or a second for a listener
BUFFERED = 32_768  # bytes in the socket's own buffer above which audio waits in the queue
CONTROL_QUEUE = 256  # messages that may wait before the member counts as gone
UNSENT = 32_768  # bytes that the system may hold back unsent: more would be old when it is sent
PAUSE_S = 0.01  # until the buffer is looked at again


class MemberLine:
    """Sends messages to one member without ever making the caller wait."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.dropped = 0
        self._socket = socket
        self._transport = transport
        self._messages: deque[bytes] = deque()
        self._audio: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._closing = False
        if transport is not None:
            _keep_short(transport)

    def send(self, message: bytes) -> None:
        """Queue a message that must arrive."""
        if len(self._messages) >= CONTROL_QUEUE and self._transport is not None:
            self._transport.abort()  # reads nothing: no use talking on
            return
        self._messages.append(message)
        self._news.set()

    def send_audio(self, message: bytes) -> None:
        """Queue audio; the oldest gives way when the member does not keep up."""
        if len(self._audio) >= AUDIO_QUEUE:
            self._audio.popleft()
            self.dropped += 1
        self._audio.append(message)
        self._news.set()

    def finish(self) -> None:
        """Let `run` close the socket once all that must arrive is sent."""
        self._closing = True
        self._news.set()

    async def run(self) -> None:
        """Write until `finish`, then hang up; a task of its own beside the reader."""
        with contextlib.suppress(ConnectionError):  # the reader sees it, too, and cleans up
            while True:
                if self._messages:
                    await self._socket.send_bytes(self._messages.popleft())
                elif self._closing:
                    await self._socket.close()  # wakes the reader, too
                    return
                elif self._audio and self._is_clogged():
                    await asyncio.sleep(PAUSE_S)  # what waits here can still be dropped
                elif self._audio:
                    await self._socket.send_bytes(self._audio.popleft())
                else:
                    self._news.clear()
                    await self._news.wait()

    def _is_clogged(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() > BUFFERED


def _keep_short(transport: asyncio.Transport) -> None:
    """Have the system take no more than it can send soon, where it knows how (Linux)."""
    raw = transport.get_extra_info("socket")
    option = getattr(sockets, "TCP_NOTSENT_LOWAT", None)
    if raw is not None and option is not None and raw.family in (sockets.AF_INET, sockets.AF_INET6):
        with contextlib.suppress(OSError):
            raw.setsockopt(sockets.IPPROTO_TCP, option, UNSENT)
