"""One client's conversation with the server: the protocol's order of messages, whatever carries them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from enum import Enum
from typing import Any, Protocol

from pipeline.converters.base import Controls
from pipeline.converters.blend import Blend
from pipeline.voice import Voice
from realtime import protocol
from realtime.engine import Engine
from realtime.errors import LiveError, ProtocolError
from realtime.session import Block, Session

ResolveVoice = Callable[[str, str | None], Awaitable[Voice]]
STATS_SECONDS = 0.5
PITCH_SECONDS = 0.05


class Outbox(Protocol):
    """The way to the client; no call waits."""

    dropped: int

    def send(self, message: bytes) -> None:
        """Send a message that must arrive."""

    def send_audio(self, block: Block, seq: int) -> None:
        """Send a converted block, or drop the oldest when the client does not keep up."""

    def finish(self) -> None:
        """Hang up once all that must arrive is sent."""


class Phase(Enum):
    """Where a conversation is."""

    GREETING = "hello"
    READY = "start"
    RUNNING = "audio"
    ENDED = "nothing"


class Conversation:
    """Reads a client's messages, drives its session, and answers."""

    def __init__(self, engine: Engine, resolve_voice: ResolveVoice, outbox: Outbox, server: str) -> None:
        self._engine = engine
        self._resolve = resolve_voice
        self._outbox = outbox
        self._server = server
        self._user_id: str | None = None
        self._voice_id = ""
        self._blend_id: str | None = None
        self._seq = 0
        self._levels = [0.0, 0.0, 0]
        self._stats_at = 0.0
        self._pitch: list[tuple[int, float, float]] = []
        self.phase = Phase.GREETING
        self.session: Session | None = None
        self.client_figures: dict[str, float] = {}

    async def receive(self, data: bytes) -> None:
        """Act on one message; problems are answered with `error`, and fatal ones end the conversation."""
        try:
            await self._act(protocol.decode(data))
        except LiveError as problem:
            self.report(problem)

    def hear(self, frame: protocol.Audio) -> None:
        """Give the session a captured frame; without a session it is a straggler, and lost."""
        if self.session is None:
            return
        try:
            self._hear(self.session, frame)
        except LiveError as problem:
            self.report(problem)

    def report(self, problem: LiveError) -> None:
        """Tell the client about a problem, and end if it is fatal."""
        self._send(
            "error",
            code=problem.code,
            message=problem.message,
            suggestions=problem.suggestions,
            fatal=problem.fatal,
        )
        if problem.fatal:
            self.close()

    def end(self, reason: str) -> None:
        """Say goodbye and free the row."""
        if self.phase is not Phase.ENDED:
            self._send("stop", reason=reason)
        self.close()

    def close(self) -> None:
        """Free the row and hang up; nothing more is said."""
        self.phase = Phase.ENDED
        if self.session is not None:
            self._engine.close_session(self.session)
            self.session = None
        self._outbox.finish()

    async def _act(self, message: protocol.Message) -> None:
        if isinstance(message, protocol.Audio) and self.session is not None:
            self._hear(self.session, message)
        elif isinstance(message, protocol.Hello) and self.phase is Phase.GREETING:
            self._greet(message)
        elif isinstance(message, protocol.Start) and self.phase is Phase.READY:
            await self._start(message)
        elif isinstance(message, protocol.ChangeControls) and self.session is not None:
            await self._change(message)
        elif isinstance(message, protocol.ClientStats) and self.phase is Phase.RUNNING:
            self.client_figures = message.figures
            self._send_stats(message.t)
        elif isinstance(message, protocol.Stop):
            self.end("as you wish")
        else:
            kind = type(message).__name__.lower()
            raise ProtocolError("unexpected_message", f"{kind!r} cannot come now", f"send {self.phase.value!r}")

    def _hear(self, session: Session, frame: protocol.Audio) -> None:
        session.inbox.put(frame)
        if session.inbox.ready():
            self._engine.wake()

    def _greet(self, hello: protocol.Hello) -> None:
        if hello.version != protocol.VERSION:
            raise ProtocolError(
                "unsupported_version",
                f"this server speaks version {protocol.VERSION}, not {hello.version}",
                "reload the page",
                fatal=True,
            )
        self.phase = Phase.READY
        self._send(
            "hello",
            version=protocol.VERSION,
            server=self._server,
            sample_rate=self._engine.sample_rate,
            block=self._engine.block,
            max_frame=protocol.MAX_FRAME,
            sessions=len(self._engine.sessions),
            capacity=self._engine.capacity,
        )

    async def _start(self, start: protocol.Start) -> None:
        if start.converter not in self._engine.converters:
            known = ", ".join(self._engine.converters)
            raise ProtocolError(
                "invalid_parameter", f"no converter {start.converter!r:.60}", f"choose one of {known}"
            )
        controls = protocol.merge_controls(Controls(), start.controls)
        voice = await self._resolve(start.voice, start.user_id)
        blend = await self._resolve_blend(start.blend, start.user_id) if start.blend else None
        if self.phase is not Phase.READY:  # the client has left while its voice was being read
            return
        self.session = self._engine.open_session(start.converter, voice, controls, self, blend)
        self.phase = Phase.RUNNING
        self._user_id, self._voice_id = start.user_id, start.voice
        self._blend_id = start.blend.voice if start.blend else None
        self._stats_at = self.session.clock()
        self._send(
            "start",
            session=self.session.session_id,
            voice=start.voice,
            blend=self._blend_in_force(),
            converter=start.converter,
            delay=self.session.delay,
            block=self._engine.block,
            sample_rate=self._engine.sample_rate,
            controls=asdict(controls),
        )

    async def _change(self, change: protocol.ChangeControls) -> None:
        session = self.session
        if session is None:
            return
        controls = protocol.merge_controls(session.controls, change.controls)
        voice = await self._resolve(change.voice, self._user_id) if change.voice else None
        asked = change.blend
        blend = await self._resolve_blend(asked, self._user_id) if asked else session.blend
        if self.session is None:  # the client has left while voices were being read
            return
        self._voice_id = change.voice or self._voice_id
        self._blend_id = asked.voice if asked else self._blend_id
        self._engine.change(session, controls, voice, blend)
        self._send("controls", voice=self._voice_id, blend=self._blend_in_force(), **asdict(controls))

    async def _resolve_blend(self, asked: protocol.AskedBlend, user_id: str | None) -> Blend | None:
        """Find the second voice; one that is blended already is not read again, so that a slider is cheap."""
        if asked.voice is None:
            return None
        if self.session is not None and self.session.blend is not None and asked.voice == self._blend_id:
            return Blend(self.session.blend.voice, asked.share)
        return Blend(await self._resolve(asked.voice, user_id), asked.share)

    def _blend_in_force(self) -> dict[str, Any] | None:
        blend = self.session.blend if self.session is not None else None
        return None if blend is None else {"voice": self._blend_id, "share": blend.share}

    def on_block(self, block: Block) -> None:
        """Send a converted block (called by the engine on the event loop)."""
        self._outbox.send_audio(block, self._seq)
        self._seq += 1
        self._levels[0] += block.level_in
        self._levels[1] += block.level_out
        self._levels[2] += 1
        self._pitch.append((block.position, block.f0_in_hz, block.f0_out_hz))
        rate = self._engine.sample_rate
        if len(self._pitch) * self._engine.block >= PITCH_SECONDS * rate:
            self._send(
                "pitch",
                position=self._pitch[0][0] + block.session.delay,
                hop=self._engine.block,
                f0_in=[round(p[1], 2) for p in self._pitch],
                f0_out=[round(p[2], 2) for p in self._pitch],
            )
            self._pitch.clear()
        if block.session.clock() - self._stats_at >= STATS_SECONDS:
            self._send_stats(None)

    def on_failure(self, message: str) -> None:
        """The engine has given the session up."""
        self.session = None
        self.report(
            LiveError("internal_error", "this session failed in the converter", "start again", fatal=True)
        )

    def _send_stats(self, t: float | None) -> None:
        session = self.session
        if session is None:
            return
        self._stats_at = session.clock()
        power_in, power_out, count = self._levels
        self._levels = [0.0, 0.0, 0]
        dropped: dict[str, int] = dict(session.inbox.dropped)
        if self._outbox.dropped:
            dropped["slow_client"] = self._outbox.dropped
        echo = {} if t is None else {"t": t}
        self._send(
            "stats",
            **echo,
            frames=session.inbox.frames,
            dropped=dropped,
            gaps=session.inbox.gap_samples,
            concealed=session.inbox.concealed_samples,
            added_p50_ms=_ms(session.added.percentile(50)),
            added_p99_ms=_ms(session.added.percentile(99)),
            level_in_db=_db(power_in / count) if count else None,
            level_out_db=_db(power_out / count) if count else None,
            sessions=len(self._engine.sessions),
        )

    def _send(self, kind: str, **fields: Any) -> None:
        self._outbox.send(protocol.encode(kind, **fields))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000.0 * seconds, 3)


def _db(power: float) -> float:
    return round(10.0 * math.log10(max(power, 1e-10)), 1)
