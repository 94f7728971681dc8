"""The WebSocket way to a client: one writer task, a short queue, the oldest audio dropped when it is full."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import web

from realtime import protocol
from realtime.session import Block

AUDIO_QUEUE = 4  # blocks that may wait for the socket
BUFFERED = 16_384  # bytes in the socket's own buffer above which audio is not added
CONTROL_QUEUE = 256  # messages that may wait before the client counts as gone


class WebSocketOutbox:
    """Sends messages and audio to one client without ever making the caller wait."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.dropped = 0
        self._socket = socket
        self._transport = transport
        self._messages: deque[bytes] = deque()
        self._audio: deque[tuple[Block, int]] = deque()
        self._news = asyncio.Event()
        self._closing = False

    def send(self, message: bytes) -> None:
        """Queue a message that must arrive."""
        if len(self._messages) >= CONTROL_QUEUE and self._transport is not None:
            self._transport.abort()  # reads nothing: no use talking on
            return
        self._messages.append(message)
        self._news.set()

    def send_audio(self, block: Block, seq: int) -> None:
        """Queue a block; the oldest one gives way when the client does not keep up."""
        if len(self._audio) >= AUDIO_QUEUE:
            self._audio.popleft()
            self.dropped += 1
        self._audio.append((block, seq))
        self._news.set()

    def finish(self) -> None:
        """Let `run` close the socket once all that is queued is sent."""
        self._closing = True
        self._news.set()

    async def run(self) -> None:
        """Write until `finish`, then hang up; a task of its own beside the reader."""
        try:
            while True:
                while self._messages or self._audio:
                    if self._messages:
                        await self._socket.send_bytes(self._messages.popleft())
                    if self._audio:
                        await self._write_audio(*self._audio.popleft())
                if self._closing:
                    await self._socket.close()  # wakes the reader, too
                    return
                self._news.clear()
                await self._news.wait()
        except ConnectionError:
            return  # the reader sees the end of the connection, too, and cleans up

    async def _write_audio(self, block: Block, seq: int) -> None:
        if self._transport is not None and self._transport.get_write_buffer_size() > BUFFERED:
            self.dropped += 1
            return
        held = block.session.handed_over(block)
        await self._socket.send_bytes(
            protocol.encode("audio", seq=seq, position=block.position, pcm=block.pcm, held_us=round(held * 1e6))
        )
