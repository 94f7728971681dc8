"""Texts spoken in processes of their own, each part handed over as soon as it is made.

The phonemiser is a C library that keeps global state and reads what strangers write, and synthesis takes
a core: neither belongs into a process with live sessions.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from auto_voice.settings import Settings
from pipeline.errors import PipelineError
from pipeline.speech.errors import SpeechBusy, SynthesisFailed

log = logging.getLogger(__name__)

WAITING = 4  # texts that may wait for each place
PART_S = 60.0  # that one part may take, the loading of the models included
GIVE_UP_S = 10.0  # that a process has to stop speaking what nobody hears any more


@dataclass(frozen=True)
class Order:
    """What is to be spoken.

    Attributes:
        text, spoken, speed, pitch: as `pipeline.speech.Speech.speak` takes them.
        voice_id: whose voice.
        format: one of `pipeline.encoder.FORMATS`.
    """

    text: str
    voice_id: str
    spoken: str
    speed: float
    pitch: float
    format: str


@dataclass(frozen=True)
class Part:
    """Some bytes of the file, and the seconds of sound made for them."""

    data: bytes
    seconds: float


class Mouth:
    """One process that speaks, started when it is first needed."""

    def __init__(self, settings: Settings, number: int) -> None:
        self._settings = settings
        self._number = number  # of its log
        self._context = multiprocessing.get_context("spawn")
        self._enough: Event = self._context.Event()
        self._process: SpawnProcess | None = None
        self._line: Connection | None = None
        self._reading: asyncio.Future[Part | PipelineError | None] | None = None
        self._folder: Path | None = None  # of what it unpacks, which it cannot remove when it is killed

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        process = self._process
        return process is not None and process.is_alive()

    async def speak(self, order: Order) -> AsyncGenerator[Part, None]:
        """Yield the parts of a file.

        Raises:
            PipelineError: what is wrong with the text, or SynthesisFailed where the process died or hung.
        """
        try:
            line = await self._open(order)
            whole = False
            try:
                while isinstance(heard := await self._hear(line), Part):
                    yield heard
                whole = True
                if heard is not None:
                    raise heard
            finally:
                if not whole:
                    await self._give_up(line)
        except TimeoutError as problem:
            self.end()
            raise SynthesisFailed(f"a part took more than {PART_S:g} s", "try again in a minute") from problem
        except (EOFError, OSError) as problem:
            log.exception("a process that speaks ended: %s", self._ended())
            self.end()
            raise SynthesisFailed("the process that spoke died", "try again in a minute") from problem

    async def _open(self, order: Order) -> Connection:
        self._enough.clear()
        if self._process is None or self._line is None or not self._process.is_alive():
            self.end()
            ours, theirs = self._context.Pipe()
            self._folder = Path(tempfile.mkdtemp(prefix="speech-", dir=self._settings.storage.temp_dir))
            self._process = self._context.Process(
                target=speak_apart,
                args=(theirs, self._enough, self._settings, self._folder, self._number),
                name="autovoice-speech",
                daemon=True,
            )
            await asyncio.to_thread(self._process.start)
            theirs.close()
            self._line = ours
        self._line.send(order)
        return self._line

    async def _hear(self, line: Connection, seconds: float = PART_S) -> Part | PipelineError | None:
        """The next part, or how it ended.

        In a thread: uvloop would make the line one that cannot wait. The thread reads on when nobody waits
        for it any more, so two never read at once.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(asyncio.to_thread(_receive, line, seconds))
        async with asyncio.timeout(seconds + 1.0):
            return await asyncio.shield(self._reading)

    async def _give_up(self, line: Connection) -> None:
        """Have it stop before the end, and be ready for the next text; end it if it does not."""
        self._enough.set()
        try:
            while isinstance(await self._hear(line, GIVE_UP_S), Part):
                pass
        except (TimeoutError, EOFError, OSError, asyncio.CancelledError):
            self.end()

    def _ended(self) -> str:
        if self._process is None:
            return "it never ran"
        self._process.join(1.0)
        return f"exit code {self._process.exitcode}"

    def end(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._line is not None:
            if self._reading is None or self._reading.done():
                self._line.close()
            else:  # not under the hands of who reads it: that ends, since the process has
                self._reading.add_done_callback(partial(_close, self._line))
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._process = self._line = self._folder = self._reading = None


def _close(line: Connection, read: asyncio.Future[Part | PipelineError | None]) -> None:
    read.cancelled() or read.exception()  # nobody asks any more
    line.close()


def _receive(line: Connection, seconds: float) -> Part | PipelineError | None:
    if not line.poll(seconds):
        raise TimeoutError
    heard: Part | PipelineError | None = line.recv()
    return heard


class Speaking:
    """Some processes that speak, and a bounded queue for them.

    Args:
        settings: `limits.concurrent_speech` says how many.
    """

    def __init__(self, settings: Settings) -> None:
        self._mouths = [Mouth(settings, number) for number in range(settings.limits.concurrent_speech)]
        self._free: asyncio.LifoQueue[Mouth] = asyncio.LifoQueue()
        for mouth in self._mouths:
            self._free.put_nowait(mouth)
        self._here = 0

    @property
    def loaded(self) -> bool:
        """Whether a process that speaks is there; the first text starts one."""
        return any(mouth.running for mouth in self._mouths)

    async def speak(self, order: Order) -> AsyncGenerator[Part, None]:
        """Yield the parts of a file, after those that came before; close the generator to stop.

        Raises:
            SpeechBusy: too many texts wait.
            PipelineError: as `Mouth.speak`.
        """
        if self._here >= len(self._mouths) * (1 + WAITING):
            raise SpeechBusy("too many texts wait to be spoken", "try again in a minute")
        self._here += 1
        try:
            mouth = await self._free.get()
            parts = mouth.speak(order)
            try:
                async for part in parts:
                    yield part
            finally:
                await parts.aclose()
                self._free.put_nowait(mouth)
        finally:
            self._here -= 1

    def close(self) -> None:
        """End all processes."""
        for mouth in self._mouths:
            mouth.end()


def speak_apart(line: Connection, enough: Event, settings: Settings, folder: Path, number: int) -> None:
    """Entry of a process that speaks: takes orders from the line until it is closed."""
    from auto_voice.logs import set_up_logging
    from auto_voice.storage.profiles import ProfileStore
    from pipeline.encoder import StreamEncoder
    from pipeline.speech.speech import Speech

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(5)
    set_up_logging(settings.logging, settings.server.debug, f"speech{number}")
    store, speech = ProfileStore(settings.storage.voice_profiles_dir), None
    tempfile.tempdir = str(folder)
    while True:
        try:
            order: Order = line.recv()
        except (EOFError, OSError):  # the server is gone
            return
        folder.mkdir(exist_ok=True)  # one that long was quiet is swept away
        end: Any = None
        try:
            voice = store.voice(order.voice_id)
            speech = speech or Speech(settings.storage.models_dir)
            encoder = StreamEncoder(order.format, speech.sample_rate)
            for sound in speech.speak(
                order.text, voice, spoken=order.spoken, speed=order.speed, pitch=order.pitch
            ):
                line.send(Part(encoder.push(sound), len(sound) / speech.sample_rate))
                if enough.is_set():
                    break
            line.send(Part(encoder.finish(), 0.0))
        except BrokenPipeError:
            return
        except PipelineError as problem:
            end = problem
        except OSError as problem:
            log.exception("a text could not be spoken")
            end = SynthesisFailed(f"the system failed: {problem.strerror}", "tell the operator")
        line.send(end)
