"""The engine: one compute thread that converts the blocks of all live sessions.

The event loop fills inboxes and wakes the thread. A tick takes every session with a whole block as a row of
one batch per converter, runs `Converter.step`, and hands all results to the loop in one call. Opening, closing
and changing sessions are commands that the thread carries out between steps, so rows need no locks.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from kernels import conceal
from pipeline.converters.base import Controls, Converter
from pipeline.converters.blend import Blend
from pipeline.voice import Target
from realtime.errors import ServerFull
from realtime.inbox import Inbox
from realtime.lane import FAILURES, Lane
from realtime.protocol import Audio
from realtime.session import Block, Listener, Session
from realtime.stats import EngineStats, Load, Window

log = logging.getLogger(__name__)

QUEUE_BLOCKS = 4  # blocks of a session that may wait before the oldest is dropped


class Engine:
    """Runs converters for many sessions on one thread.

    Args:
        converters: name -> factory taking the block in samples.
        capacity: most sessions at a time.
        block: samples of one step (480 is 10 ms), or more where a converter takes more at a time.
        max_busy: fraction of its time that the compute thread may be at work before new sessions are refused.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        converters: dict[str, Callable[[int], Converter]],
        *,
        capacity: int = 32,
        block: int = 480,
        max_busy: float = 0.8,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.capacity = capacity
        self.block = block
        self.max_busy = max_busy
        self.clock = clock
        self._lanes = {name: Lane(name, make(block), capacity, block) for name, make in converters.items()}
        self._commands: deque[tuple[Session, Callable[[], None]]] = deque()
        self._wake = threading.Event()
        self._stop = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._step_times = Window(4096)
        self._added = Window(4096)
        self._load = Load(clock)
        self._refused = 0
        self._blocks = 0
        self._past_dropped: Counter[str] = Counter()
        self._past_gaps = self._past_concealed = 0

    @property
    def sample_rate(self) -> int:
        """Sample rate of all converters, in Hz."""
        return next(iter(self._lanes.values())).converter.sample_rate

    @property
    def running(self) -> bool:
        """Whether the compute thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def converters(self) -> list[str]:
        """Names that `open_session` knows."""
        return list(self._lanes)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the device that a converter should run on."""
        return next((t for lane in self._lanes.values() if (t := lane.converter.trouble) is not None), None)

    @property
    def sessions(self) -> list[Session]:
        """All open sessions (any thread)."""
        return [session for lane in self._lanes.values() for session in list(lane.sessions.values())]

    def warm(self) -> None:
        """Run every compiled loop once, so that no session waits for a compiler."""
        for lane in self._lanes.values():
            lane.warm()
        inbox = Inbox(self.block, QUEUE_BLOCKS, self.clock)
        for position in (0, 480, 960 + self.block, 960):  # a gap, and what was missing
            inbox.put(Audio(0, position, bytes(960)))
        inbox.put(Audio(0, 8 * self.block + 4 * 960, bytes(960)))  # more than may wait
        while inbox.ready():
            inbox.take(np.zeros(self.block, np.float32))
        conceal.warm()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the compute thread; results go to `loop`. Call `warm` first."""
        self._loop = loop
        self._stop = False
        # short turns: the loop never waits long for a Python thread that is busy
        sys.setswitchinterval(0.0005)
        self._thread = threading.Thread(target=self._run, name="autovoice-engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the compute thread; what waits is not converted any more."""
        self._stop = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def prepare(self, converter: str, voice: Target) -> None:
        """Load what a voice needs before it is sung (any thread but the event loop's).

        Raises:
            KeyError: no such converter. PipelineError: what the voice needs is not here.
        """
        self._lanes[converter].converter.prepare(voice)

    def open_session(
        self,
        converter: str,
        voice: Target | None,
        controls: Controls,
        listener: Listener,
        blend: Blend | None = None,
        yielding: Sequence[Session] = (),
    ) -> Session:
        """Give a singer a row (event loop).

        As many of `yielding` as it takes are closed to make room, the first ones first.

        Raises:
            KeyError: no such converter.
            ServerFull: no row is free, or the compute thread has too much to do.
        """
        lane = self._lanes[converter]
        self._admit(yielding)
        session = Session(
            converter=converter,
            row=lane.claim(),
            delay=lane.converter.delay,
            block=lane.block,
            inbox=Inbox(lane.block, QUEUE_BLOCKS, self.clock),
            listener=listener,
            voice=voice,
            blend=blend,
            controls=controls,
            clock=self.clock,
        )
        self._set_row(session, voice, reset=True)
        lane.sessions[session.row] = session
        return session

    def change(self, session: Session, controls: Controls, voice: Target | None, blend: Blend | None) -> None:
        """Give a session new controls, another voice unless None, and a blend or none from now on.

        Takes effect at the next block.
        """
        session.controls, session.blend = controls, blend
        session.voice = voice or session.voice
        self._set_row(session, voice, reset=False)

    def close_session(self, session: Session) -> None:
        """Take a session out (event loop).

        Its row is free at once: whoever gets it sets it by a command, and commands wait for the step at hand.
        """
        if session.closed:
            return
        session.closed = True
        lane = self._lanes[session.converter]
        del lane.sessions[session.row]
        self._past_dropped.update(session.inbox.dropped)
        self._past_gaps += session.inbox.gap_samples
        self._past_concealed += session.inbox.concealed_samples
        lane.release(session.row)
        self._command(session, lambda: lane.clear_row(session.row))  # before whoever gets it next

    def wake(self) -> None:
        """Tell the thread that a block may be ready (event loop)."""
        self._wake.set()

    def busy(self) -> float:
        """Fraction of its time that the compute thread was at work lately."""
        return self._load.fraction()

    def snapshot(self) -> EngineStats:
        """All figures of this moment (any thread)."""
        sessions = self.sessions
        dropped, gaps, concealed = Counter(self._past_dropped), self._past_gaps, self._past_concealed
        for session in sessions:
            dropped.update(session.inbox.dropped)
            gaps += session.inbox.gap_samples
            concealed += session.inbox.concealed_samples
        return EngineStats(
            sessions=len(sessions),
            parked=sum(session.parked for session in sessions),
            capacity=self.capacity,
            step_p50_ms=_ms(self._step_times.percentile(50)),
            step_p99_ms=_ms(self._step_times.percentile(99)),
            added_p50_ms=_ms(self._added.percentile(50)),
            added_p99_ms=_ms(self._added.percentile(99)),
            busy=self.busy(),
            queue_depth=sum(session.inbox.depth() for session in sessions),
            refused=self._refused,
            blocks=self._blocks,
            gap_samples=gaps,
            concealed_samples=concealed,
            dropped=dict(dropped),
        )

    def _admit(self, yielding: Sequence[Session]) -> None:
        """Make room for a session, at the cost of as few others as it takes, or refuse it."""
        count, leaving = len(self.sessions), 0
        while (reason := self._refusal(count - leaving)) is not None:
            if leaving == len(yielding):
                self._refused += 1
                raise ServerFull(reason)
            leaving += 1
        for session in yielding[:leaving]:
            self.close_session(session)

    def _refusal(self, others: int) -> str | None:
        """Why there is no row or no time for a session beside so many others; those parked will need theirs."""
        if others >= self.capacity:
            return f"all {self.capacity} places are taken"
        busy, singing = self.busy(), sum(not session.parked for session in self.sessions)
        if singing and busy * (others + 1) / singing > self.max_busy:
            return f"its processor is {busy:.0%} busy with {singing} sessions"
        return None

    def _set_row(self, session: Session, voice: Target | None, *, reset: bool) -> None:
        lane, controls, blend = self._lanes[session.converter], session.controls, session.blend
        self._command(session, lambda: lane.set_row(session.row, controls, voice, blend, reset=reset))

    def _command(self, session: Session, command: Callable[[], None]) -> None:
        self._commands.append((session, command))
        self._wake.set()

    def _run(self) -> None:
        """The compute thread."""
        torch.set_num_threads(1)
        while not self._stop:
            self._wake.wait()
            self._wake.clear()
            self._obey()
            # lanes take turns: one that is slow takes time from the others, but never all of it
            worked = True
            while worked and not self._stop:
                worked = False
                for lane in self._lanes.values():
                    worked |= self._tick(lane)
                    self._obey()

    def _obey(self) -> None:
        """Carry out what the event loop has asked for."""
        while self._commands:
            session, command = self._commands.popleft()
            try:
                command()
            except FAILURES as problem:
                log.exception("a row of %s could not be set", session.converter)
                self._post(self._fail, {session: f"{type(problem).__name__}: {problem}"})

    def _tick(self, lane: Lane) -> bool:
        """Convert one block of every session of a lane that has one; False when none has."""
        began = self.clock()
        blocks, failed = lane.convert()
        if failed:
            self._post(self._fail, failed)
        if not blocks:
            return False
        ended = self.clock()
        self._step_times.add(ended - began)
        self._blocks += len(blocks)
        self._load.worked(began, ended)
        self._post(self._deliver, blocks)  # last: whoever hears of them finds them counted
        return True

    def _post(self, call: Callable[..., None], *args: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *args)

    def _deliver(self, blocks: list[Block]) -> None:
        """Hand finished blocks to their listeners (event loop)."""
        for block in blocks:
            if not block.session.closed:
                block.session.blocks += 1
                block.session.listener.on_block(block)
                if block.session.audience is not None:
                    block.session.audience(block)
                self._added.add(self.clock() - block.arrival)

    def _fail(self, failed: dict[Session, str]) -> None:
        """Give up the sessions that cannot go on (event loop)."""
        for session, message in failed.items():
            if not session.closed:
                self.close_session(session)
                session.listener.on_failure(message)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000.0 * seconds
