"""Who is singing, and who may come back: tokens, and the sessions that are parked while a line is lost.

A session is parked, not freed, when its line is lost without a word. Its row stays as it is, so whoever comes
back with its token goes on as if nothing had happened. It is freed after `resume_seconds`, or before that when
a newcomer needs its place.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.converters.base import Controls
from pipeline.converters.blend import Blend
from pipeline.voice import Target
from realtime.engine import Engine
from realtime.errors import LiveError, TooManySessions
from realtime.session import Block, Listener, Session


class Holder(Listener, Protocol):
    """Speaks for a session over one line."""

    def on_taken_over(self) -> None:
        """Another line speaks for the session from now on."""

    def report(self, problem: LiveError) -> None:
        """Tell the client about a problem, and hang up if it is fatal."""


class Nobody:
    """Hears a parked session; what is rendered meanwhile is lost."""

    def __init__(self, sweep: Callable[[], None]) -> None:
        self._sweep = sweep

    def on_block(self, block: Block) -> None:
        """Nobody is there to be told."""

    def on_failure(self, message: str) -> None:
        """The session is closed: nobody can come back to it."""
        self._sweep()


@dataclass(eq=False)
class Stay:
    """One singer's session over all the lines that carry it, one after the other."""

    session: Session
    user_id: str | None
    voice_id: str
    blend_id: str | None
    client: str | None  # for whom it counts
    holder: Holder | None
    token: str = field(repr=False)
    until: float = 0.0  # when it is freed, while it is parked
    slow_client: int = 0  # blocks dropped on the lines that it had before


class Sessions:
    """Opens, parks, resumes and frees the sessions of an engine (event loop only).

    Args:
        engine: whose sessions they are.
        resume_seconds: how long a parked session is kept; at 0, none is parked.
        clock: seconds, monotonic.
        per_client: sessions that one client may have at a time; 0: as many as there is room for.
        most_of: the same of a client, where not all are equal; raises LiveError for one that may have none.
    """

    def __init__(
        self,
        engine: Engine,
        resume_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        per_client: int = 0,
        most_of: Callable[[str], int] | None = None,
    ) -> None:
        self._most_of = most_of or (lambda client: per_client)
        self.engine = engine
        self.resume_seconds = resume_seconds
        self._clock = clock
        self._stays: dict[str, Stay] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def parked(self) -> list[Stay]:
        """Those that wait for their singers, the one that has waited longest first."""
        waiting = [stay for stay in self._stays.values() if stay.holder is None and not stay.session.closed]
        return sorted(waiting, key=lambda stay: stay.until)

    def open(
        self,
        holder: Holder,
        converter: str,
        voice: Target,
        blend: Blend | None,
        controls: Controls,
        *,
        user_id: str | None,
        voice_id: str,
        blend_id: str | None,
        client: str | None = None,
    ) -> Stay:
        """Begin a session; if the server is full otherwise, parked ones give way.

        Raises:
            ServerFull: it is full even so. TooManySessions: this client has as many as it may.
            LiveError: `most_of` refuses it.
        """
        most = 0 if client is None else self._most_of(client)
        if most:
            singing = sum(stay.client == client and stay.holder is not None for stay in self._stays.values())
            if singing >= most:
                raise TooManySessions(most)
        yielding = [stay.session for stay in self.parked]
        session = self.engine.open_session(converter, voice, controls, holder, blend, yielding)
        stay = Stay(session, user_id, voice_id, blend_id, client, holder, secrets.token_urlsafe())
        self._stays[stay.token] = stay
        self.sweep()
        return stay

    def resume(self, token: str, user_id: str | None, holder: Holder) -> Stay | None:
        """Let `holder` speak for the session of a token, in place of any other; None if it cannot go on.

        Only who began a session can go on with it.
        """
        self.sweep()
        stay = self._stays.get(token)
        if stay is None or stay.user_id != user_id:
            return None
        before, stay.holder = stay.holder, holder
        stay.session.listener, stay.session.parked = holder, False
        if before is not None:
            before.on_taken_over()
        self._arm()
        return stay

    def find(self, token: str) -> Stay | None:
        """The session of a token, which goes on as it does."""
        stay = self._stays.get(token)
        return None if stay is None or stay.session.closed else stay

    def park(self, stay: Stay) -> None:
        """Keep the session of a line that was lost for a while."""
        if self.resume_seconds <= 0 or self._closed:
            self.free(stay)
            return
        stay.holder, stay.session.listener = None, Nobody(self.sweep)
        stay.session.parked = True
        stay.until = self._clock() + self.resume_seconds
        self._arm()

    def free(self, stay: Stay) -> None:
        """End a session for good."""
        self.engine.close_session(stay.session)
        self._stays.pop(stay.token, None)
        self._arm()

    def end(self, client: str, problem: LiveError) -> None:
        """End the sessions of a client, parked or not, and tell it why."""
        for stay in [stay for stay in self._stays.values() if stay.client == client]:
            if stay.holder is not None:
                stay.holder.report(problem)
            self.free(stay)

    def sweep(self) -> None:
        """Free what has been parked for too long, and forget what was closed meanwhile."""
        now = self._clock()
        for stay in list(self._stays.values()):
            if stay.session.closed or (stay.holder is None and stay.until <= now):
                self.free(stay)
        self._arm()

    def close(self) -> None:
        """Free all that are parked; none is parked from now on."""
        self._closed = True
        for stay in self.parked:
            self.free(stay)
        self._arm()

    def _arm(self) -> None:
        """Wake up when the next one is due, and only then."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waiting := self.parked:
            wait = max(0.0, waiting[0].until - self._clock())
            self._timer = asyncio.get_running_loop().call_later(wait, self.sweep)
