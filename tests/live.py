"""What tests of live sessions share: time that they own, a listener that remembers, frames, and patience."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np

from realtime.conversation import Conversation
from realtime.protocol import Audio
from realtime.session import Block


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Ear:
    """A listener that keeps what it hears."""

    blocks: list[Block] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def on_block(self, block: Block) -> None:
        self.blocks.append(block)

    def on_failure(self, message: str) -> None:
        self.failures.append(message)

    @property
    def samples(self) -> np.ndarray:
        """All that was heard, int16."""
        return np.concatenate([np.frombuffer(b.pcm, "<i2") for b in self.blocks] or [np.zeros(0, np.int16)])


@dataclass
class Letters:
    """An outbox that keeps everything."""

    dropped: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    audio: list[Block] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    finished: bool = False

    def send(self, message: bytes) -> None:
        self.messages.append(msgpack.unpackb(message))

    def send_audio(self, block: Block, seq: int) -> None:
        assert not self.finished
        self.audio.append(block)
        self.seqs.append(seq)
        block.session.handed_over(block)

    def finish(self) -> None:
        self.finished = True

    def last(self, kind: str) -> dict[str, Any]:
        """The newest message of a kind."""
        return [m for m in self.messages if m["type"] == kind][-1]

    @property
    def samples(self) -> np.ndarray:
        """All audio that was sent, int16."""
        return np.concatenate([np.frombuffer(b.pcm, "<i2") for b in self.audio] or [np.zeros(0, np.int16)])


async def say(conversation: Conversation, *messages: dict[str, Any]) -> None:
    """Let the server hear messages of a client."""
    for message in messages:
        await conversation.receive(msgpack.packb(message))


def frames(pcm: np.ndarray, size: int = 480, start: int = 0) -> list[Audio]:
    """Cut int16 samples into frames."""
    return [
        Audio(seq, start + at, pcm[at : at + size].astype("<i2").tobytes())
        for seq, at in enumerate(range(0, len(pcm), size))
    ]


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that must happen."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it is threads that are waited for
            await asyncio.sleep(0.001)
