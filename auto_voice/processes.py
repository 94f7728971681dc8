"""Several server processes on one port: a parent that starts them, keeps them alive, and passes signals on.

Each listens by itself (SO_REUSEPORT), so the kernel shares new connections out among them and none goes through
the parent. One that dies has a successor after a second, twice as long each time it happens again soon.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, MutableSequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from auto_voice.settings import SettingsError
from auto_voice.share import Options, Share

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S = 1.0
LONGEST_BACK_OFF_S = 30.0
WELL_AFTER_S = 60.0  # one that lived as long is forgiven what was before
STOP_S = 15.0  # beyond server.drain_seconds, to end in
RELOAD: signal.Signals | None = getattr(signal, "SIGHUP", None)  # not on Windows


def reserve(host: str, port: int) -> list[socket.socket]:
    """Hold an address without listening at it, for processes that share it.

    Returns:
        A socket for each address that the name stands for, all with the same port (a free one for 0).

    Raises:
        OSError: somebody listens there already, sharing or not, or it is no address of this machine.
        SettingsError: ports cannot be shared here.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise SettingsError("this system cannot share a port: server.workers must be 1")
    held: list[socket.socket] = []
    for family, kind, protocol, _, place in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        address = (place[0], port, *place[2:])
        with socket.socket(family, kind, protocol) as probe:  # refused even where another server would share
            _prepare(probe, family)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
            port = port or probe.getsockname()[1]
        one = socket.socket(family, kind, protocol)
        held.append(one)
        _prepare(one, family)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((place[0], port, *place[2:]))
    return held


def _prepare(one: socket.socket, family: int) -> None:
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


@dataclass
class Child:
    """One process's place."""

    process: SpawnProcess | None = None
    line: Connection | None = None  # says when it listens; it ends when it is closed
    ready: bool = False
    started: float = 0.0
    start_at: float = 0.0
    back_off: float = FIRST_BACK_OFF_S


class Parent:
    """Runs `server.workers` server processes until it is told to end.

    Args:
        options: how the server was started.
        ready: called once, when all of them take connections.
    """

    def __init__(self, options: Options, ready: Callable[[], None] = lambda: None) -> None:
        self._settings = options.read()
        self._options = options
        self._ready = ready
        self._told = False
        self._ending = 0  # signals that said so
        self._children = [Child() for _ in range(self._settings.server.workers)]
        self._folder = Path()
        self._context = multiprocessing.get_context("spawn")
        self._counts: MutableSequence[int] = self._context.Array("i", 2, lock=False)

    def run(self) -> int:
        """Serve; returns the exit code.

        Raises:
            OSError: the port is taken, or the address is not this machine's.
        """
        server, security = self._settings.server, self._settings.security
        if security.rate_limiting_enabled and security.rate_limit_storage.startswith("memory:"):
            log.warning("each process counts requests by itself: name a Redis in security.rate_limit_storage")
        held = reserve(server.host, server.port)
        self._options = replace(self._options, port=held[0].getsockname()[1])
        self._folder = Path(tempfile.mkdtemp(prefix="autovoice-"))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_end)
        if RELOAD is not None:
            signal.signal(RELOAD, self._on_reload)
        try:
            return self._tend()
        finally:
            self._stop()
            shutil.rmtree(self._folder, ignore_errors=True)
            for one in held:
                one.close()

    def _tend(self) -> int:
        while not self._ending:
            for index, child in enumerate(self._children):
                if child.process is not None and not child.process.is_alive():
                    if not self._told and index == 0 and not child.ready:  # it never could
                        return child.process.exitcode or 1
                    self._bury(index, child)
                first = self._children[0]
                compiled = (
                    index == 0 or first.ready or self._told
                )  # the others find what the first has compiled
                if child.process is None and compiled and time.monotonic() >= child.start_at:
                    self._start(index, child)
            if not self._told and all(child.ready for child in self._children):
                self._told = True
                self._ready()
            self._listen()
        return 0

    def _start(self, index: int, child: Child) -> None:
        ours, theirs = self._context.Pipe()
        share = Share(index, len(self._children), self._folder, self._counts)
        child.process = self._context.Process(
            target=serve_share, args=(self._options, share, theirs), name=f"autovoice-{index}"
        )
        child.started, child.ready, child.line = time.monotonic(), False, ours
        child.process.start()
        theirs.close()

    def _bury(self, index: int, child: Child) -> None:
        assert child.process is not None
        child.process.join()
        now = time.monotonic()
        if now - child.started > WELL_AFTER_S:
            child.back_off = FIRST_BACK_OFF_S
        log.error(
            "server process %d ended with code %s; the next one starts in %g s",
            index,
            child.process.exitcode,
            child.back_off,
        )
        child.start_at = now + child.back_off
        child.back_off = min(2 * child.back_off, LONGEST_BACK_OFF_S)
        if child.line is not None:
            child.line.close()
        child.process = child.line = None
        child.ready = False

    def _listen(self) -> None:
        """Wait until something happens, for half a second at most."""
        lines = {c.line: c for c in self._children if c.line is not None and not c.ready}
        ends = [c.process.sentinel for c in self._children if c.process is not None]
        for heard in wait([*lines, *ends], timeout=0.5):
            if isinstance(heard, Connection):
                with suppress(EOFError, OSError):
                    lines[heard].ready = bool(heard.recv())
        if not ends:
            time.sleep(0.1)

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        self._ending += 1
        self._signal(signal.SIGTERM)

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        assert RELOAD is not None
        for child in self._children:
            if child.ready:  # one that starts reads the settings by itself, and would die of the signal
                self._send(child, RELOAD)

    def _signal(self, number: signal.Signals) -> None:
        for child in self._children:
            self._send(child, number)

    @staticmethod
    def _send(child: Child, number: signal.Signals) -> None:
        if child.process is not None and child.process.pid is not None and child.process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(child.process.pid, number)

    def _stop(self) -> None:
        """End all of them, within the time that they have for it."""
        if not self._ending:
            self._signal(signal.SIGTERM)
        # as each reads its settings anew on SIGHUP, so does this
        seconds = self._settings.server.drain_seconds
        with suppress(SettingsError):
            seconds = max(seconds, self._options.read().server.drain_seconds)
        deadline = time.monotonic() + seconds + STOP_S
        for child in self._children:
            if child.process is not None:
                child.process.join(max(0.0, deadline - time.monotonic()))
                if child.process.is_alive():
                    log.error("server process %s did not end; it is killed", child.process.pid)
                    child.process.kill()
                    child.process.join()


def serve_share(options: Options, share: Share, line: Connection) -> None:
    """Entry of a server process.

    Args:
        options: how the server was started.
        share: which process this is.
        line: to the parent, which is told once connections are taken; when it closes, the parent is gone.
    """
    from auto_voice.cli import explained

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's affair

    def run() -> None:
        from auto_voice.logs import set_up_logging
        from auto_voice.web.app import create_app, serve

        settings = share.part_of(options.read())
        set_up_logging(settings.logging, settings.server.debug)
        app = create_app(settings, lambda: share.part_of(options.read()), share)
        serve(app, settings, options.tls(), lambda: line.send(True), share=share, parent=line.fileno())

    explained(run)
