"""One performance: a client that sings in real time, and notes when what of it could be played."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.continuity import FRAME, Heard, Take
from bench.lines import Line
from kernels import opus
from realtime.decoder import OpusDecoder, Pcm, PcmDecoder
from realtime.protocol import Audio
from realtime.transports.webrtc.receiver import FrameReceiver

STEP_TIMEOUT_S = 15.0


class Singer:
    """Sings over one line.

    What comes back goes through the jitter buffer that the server has, too: what is late is waited for, what is
    lost made up for, as a page's player does in its own way.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._take = Take()
        self._loop = asyncio.get_running_loop()
        self._frames: FrameReceiver[Pcm] = FrameReceiver(PcmDecoder(), self._play)
        self._packets: FrameReceiver[bytes] = FrameReceiver(OpusDecoder(), self._play)
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def perform(
        self,
        address: str,
        converter: str,
        pcm: np.ndarray[tuple[int], np.dtype[np.int16]],
        lossy: range,
        change: Callable[[bool], None],
    ) -> Take:
        """Sing all of `pcm`, and listen.

        Args:
            address: host:port of the server.
            converter: asked for.
            pcm: whole frames.
            lossy: frames that are sent in bad weather.
            change: called with True when that begins, and with False before all and when it ends.
        """
        await self._line.open(address, self._hear)
        try:
            await self._ask("hello", version=1, client="bench")
            await self._ask("start", voice="aria", converter=converter)
            change(False)
            await self._sing(pcm, lossy, change)
            await asyncio.sleep(0.5)
            await self._note("after")
            with contextlib.suppress(TimeoutError):
                await self._ask("stop", reason="done")
        finally:
            self._frames.close()
            self._packets.close()
            await self._line.close()
        return self._take

    async def _sing(
        self, pcm: np.ndarray[tuple[int], np.dtype[np.int16]], lossy: range, change: Callable[[bool], None]
    ) -> None:
        take = self._take
        take.began, take.frames, take.lossy = self._loop.time(), len(pcm) // FRAME, lossy
        asked = None
        for seq, due in enumerate(take.sent()):
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            if seq == lossy.start:
                asked = asyncio.create_task(self._note("before"))
                change(True)
            elif seq == lossy.stop:
                change(False)
            take.late_sending.append(self._loop.time() - due)
            place = seq * FRAME
            self._line.sing(seq, place, pcm[place : place + FRAME].tobytes())
        if asked is not None:
            await asked

    async def _note(self, when: str) -> None:
        self._take.stats[when] = await self._ask("stats", t=len(self._take.stats))

    async def _ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a message and wait for the answer of the same kind."""
        key = f"{kind} {fields['t']}" if "t" in fields else kind
        self._answers[key] = self._loop.create_future()
        await self._line.send({"type": kind, **fields})
        async with asyncio.timeout(STEP_TIMEOUT_S):
            return await self._answers[key]

    def _hear(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "audio" and "opus" in message:
            packet = message["opus"]
            self._packets.put(message["position"], opus.samples_in(packet), packet)
        elif kind == "audio":
            pcm = np.frombuffer(message["pcm"], "<i2").astype(np.int16)
            self._frames.put(message["position"], len(pcm), pcm)
        elif kind == "error" and message["code"] != "too_fast":  # that is what a stall that ends looks like
            problem = RuntimeError(f"{message['code']}: {message['message']}")
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(problem)
        else:
            answer = self._answers.get(f"{kind} {message['t']:.0f}" if "t" in message else kind)
            if answer is not None and not answer.done():
                answer.set_result(message)

    def _play(self, frame: Audio) -> None:
        pcm = np.frombuffer(frame.pcm, np.int16)
        self._take.heard.append(Heard(self._loop.time(), frame.position, pcm, not frame.heard))
