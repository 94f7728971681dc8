"""A server without sockets, for tests of lines that are lost, resumed and taken over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.synthetic import sing, vibrato
from pipeline.voice import Voice
from realtime.conversation import Conversation
from realtime.engine import Engine
from realtime.sessions import Sessions
from tests.live import Clock, Letters, say, until

HELLO = {"type": "hello", "version": 1, "client": "test"}
START = {"type": "start", "voice": "aria", "user_id": "ann", "converter": "classic"}
SONG = (np.clip(sing(vibrato(196, 1.2, 48_000), 48_000, np.random.default_rng(3)), -1, 1) * 32767).astype("<i2")


class Hall:
    """Lines to it are made, sung into and lost; time passes when a test says so."""

    def __init__(self, engine: Engine, voices: dict[str, Voice], clock: Clock, resume_seconds: float) -> None:
        self.engine = engine
        self.clock = clock
        self.voices = voices
        self.sessions = Sessions(engine, resume_seconds, clock)

    async def resolve(self, voice_id: str, user_id: str | None) -> Voice:
        return replace(self.voices[voice_id])

    async def line(self, **start: Any) -> tuple[Conversation, Letters]:
        """Greet and start."""
        letters = Letters()
        conversation = Conversation(self.sessions, self.resolve, letters, "AutoVoice test")
        await say(conversation, HELLO, {**START, **start})
        return conversation, letters

    async def sing(self, line: tuple[Conversation, Letters], first: int, last: int, at: int = 0) -> None:
        """Send frames of the song, each when the one before has come back."""
        conversation, letters = line
        for index in range(first, last):
            pcm = SONG[index * 480 : (index + 1) * 480].tobytes()
            self.clock.now += 0.01
            heard = len(letters.audio)
            await say(conversation, {"type": "audio", "seq": index, "position": at + index * 480, "pcm": pcm})
            await until(lambda heard=heard: len(letters.audio) > heard)

    @property
    def counts(self) -> tuple[int, int]:
        """Sessions, and how many of them are parked."""
        stats = self.engine.snapshot()
        return stats.sessions, stats.parked
