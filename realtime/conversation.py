"""One client's conversation with the server: the protocol's order of messages, whatever carries them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from enum import Enum
from typing import Any

from pipeline.converters.base import Controls
from realtime import protocol
from realtime.casting import Casting, ResolveVoice
from realtime.errors import LiveError, ProtocolError
from realtime.line import Outbox, Track
from realtime.reports import Reports
from realtime.session import Block, Session
from realtime.sessions import Sessions, Stay

MOST_UNDERRUNS = 1000.0  # that are believed at a time


class Phase(Enum):
    """Where a conversation is."""

    GREETING = "hello"
    READY = "start"
    RUNNING = "audio"
    ENDED = "nothing"


class Conversation:
    """Reads a client's messages, drives its session, and answers, over one line.

    Args:
        sessions: where its session is kept.
        resolve_voice: finds a voice by its id, among those that the user may use.
        outbox: the way to the client.
        server: name and version.
        sole_user: who the client is known to be; without, who it says it is.
        client: for whom its session counts; None: for nobody.

    Attributes:
        track: the line's audio track, if it has one.
        network: what the line knows of how frames arrive, for `stats`.
        on_underruns: told how many gaps in playout the client has counted since the last time.
    """

    def __init__(
        self,
        sessions: Sessions,
        resolve_voice: ResolveVoice,
        outbox: Outbox,
        server: str,
        sole_user: str | None = None,
        client: str | None = None,
    ) -> None:
        self._sessions = sessions
        self._engine = sessions.engine
        self._casting = Casting(self._engine, resolve_voice, sole_user)
        self._outbox = outbox
        self._server = server
        self._sole_user = sole_user
        self._client = client
        self._stay: Stay | None = None
        self._reports: Reports | None = None
        self.track: Track | None = None
        self.on_underruns: Callable[[float], None] = lambda more: None
        self.network: Callable[[], dict[str, float]] | None = None
        self.phase = Phase.GREETING
        self.client_figures: dict[str, float] = {}

    @property
    def session(self) -> Session | None:
        """The session that this line carries."""
        return self._stay.session if self._stay is not None else None

    async def receive(self, data: bytes) -> None:
        """Act on one message; problems are answered with `error`, and fatal ones end the conversation.

        What still comes after the end means nothing.
        """
        if self.phase is Phase.ENDED:
            return
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
        self._tell(problem)
        if problem.fatal:
            self.close()

    def end(self, reason: str) -> None:
        """Say goodbye and free the session."""
        if self.phase is not Phase.ENDED:
            self._send("stop", reason=reason)
        self.close()

    def close(self) -> None:
        """Free the session and hang up; nothing more is said."""
        stay = self._hang_up()
        if stay is not None:
            self._sessions.free(stay)

    def lose(self, problem: LiveError | None = None) -> None:
        """The line is lost: hang up, but keep the session for a while; the client may come back."""
        if problem is not None and self.phase is not Phase.ENDED:
            self._tell(problem)
        stay = self._hang_up()
        if stay is not None:
            self._sessions.park(stay)

    def on_taken_over(self) -> None:
        """Hang up without a word: the session goes on over another line."""
        self._hang_up()

    def _hang_up(self) -> Stay | None:
        self.phase = Phase.ENDED
        stay, self._stay = self._stay, None
        if stay is not None:
            stay.slow_client += self._outbox.dropped
        self._outbox.finish()
        return stay

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
            before = self.client_figures.get("underruns", 0.0)
            self.client_figures = message.figures
            more = message.figures.get("underruns", 0.0) - before
            self.on_underruns(max(0.0, min(more, MOST_UNDERRUNS)))
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
        user_id = self._sole_user or start.user_id
        track = await self._route(start.track)
        if self.phase is not Phase.READY:
            return
        stay = self._sessions.resume(start.resume, user_id, self) if start.resume else None
        resumed = stay is not None
        if stay is None:
            stay = await self._open(start)
        if stay is None:  # the client has left meanwhile
            return
        self._stay, self.phase = stay, Phase.RUNNING
        session = stay.session
        self._reports = Reports(session, session.block, self._engine.sample_rate)
        self._send(
            "start",
            session=session.session_id,
            token=stay.token,
            resumed=resumed,
            voice=stay.voice_id,
            blend=_blend_in_force(stay),
            converter=session.converter,
            delay=session.delay,
            block=session.block,
            sample_rate=self._engine.sample_rate,
            controls=asdict(session.controls),
            **track,
        )

    async def _route(self, theirs: protocol.Mark | None) -> dict[str, Any]:
        """Decide how the audio goes; returns what `start` tells of that."""
        if theirs is None:
            if self.track is not None:
                self.track.leave()
            return {}
        if self.track is None:
            raise ProtocolError("invalid_parameter", "this line has no audio track", "leave 'track' out")
        return {"track": asdict(await self.track.begin(theirs))}

    async def _open(self, start: protocol.Start) -> Stay | None:
        """Begin a session; None when the client leaves while its voices are being read."""
        controls = protocol.merge_controls(Controls(), start.controls)
        voice, converter = await self._casting.find(start.voice, start.converter)
        blend = await self._casting.blend(start.blend, converter, None) if start.blend else None
        if self.phase is not Phase.READY:
            return None
        return self._sessions.open(
            self,
            converter,
            voice,
            blend,
            controls,
            user_id=self._sole_user or start.user_id,
            voice_id=start.voice,
            blend_id=start.blend.voice if start.blend else None,
            client=self._client,
        )

    async def _change(self, change: protocol.ChangeControls) -> None:
        stay = self._stay
        if stay is None:
            return
        controls = protocol.merge_controls(stay.session.controls, change.controls)
        converter = stay.session.converter
        voice = (await self._casting.find(change.voice, converter))[0] if change.voice else None
        asked = change.blend
        blend = await self._casting.blend(asked, converter, stay) if asked else stay.session.blend
        if self._stay is None:  # the client has left while voices were being read, or speaks on another line
            return
        stay.voice_id = change.voice or stay.voice_id
        stay.blend_id = asked.voice if asked else stay.blend_id
        self._engine.change(stay.session, controls, voice, blend)
        self._send("controls", voice=stay.voice_id, blend=_blend_in_force(stay), **asdict(controls))

    def on_block(self, block: Block) -> None:
        """Send a converted block (called by the engine on the event loop)."""
        self._outbox.send_audio(block, block.session.blocks - 1)
        if self._reports is None:
            return
        self._reports.add(block)
        pitch = self._reports.pitch()
        if pitch is not None:
            self._send("pitch", **pitch)
        if self._reports.stats_due():
            self._send_stats(None)

    def on_failure(self, message: str) -> None:
        """The engine has given the session up."""
        self.report(
            LiveError("internal_error", "this session failed in the converter", "start again", fatal=True)
        )

    def _send_stats(self, t: float | None) -> None:
        if self._stay is None or self._reports is None:
            return
        echo = {} if t is None else {"t": t}
        figures = self._reports.stats(self._stay.slow_client + self._outbox.dropped)
        network = {} if self.network is None else {"network": self.network()}
        self._send("stats", **echo, **figures, **network, sessions=len(self._engine.sessions))

    def _tell(self, problem: LiveError) -> None:
        self._send(
            "error",
            code=problem.code,
            message=problem.message,
            suggestions=problem.suggestions,
            fatal=problem.fatal,
        )

    def _send(self, kind: str, **fields: Any) -> None:
        self._outbox.send(protocol.encode(kind, **fields))


def _blend_in_force(stay: Stay) -> dict[str, Any] | None:
    blend = stay.session.blend
    return None if blend is None else {"voice": stay.blend_id, "share": blend.share}
