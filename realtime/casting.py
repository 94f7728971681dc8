"""Which voices a client sings in: found, loaded by the converter that sings them, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pipeline.converters.blend import Blend
from pipeline.errors import PipelineError
from pipeline.voice import Target, Voice
from realtime import protocol
from realtime.engine import Engine
from realtime.errors import ProtocolError, VoiceNotReady
from realtime.sessions import Stay

ResolveVoice = Callable[[str, str | None], Awaitable[Target]]


class Casting:
    """Finds the voices of one client.

    Args:
        engine: whose converters sing.
        resolve: finds a voice by its id, among those that a user may use.
        sole_user: who the client is known to be.
    """

    def __init__(self, engine: Engine, resolve: ResolveVoice, sole_user: str | None) -> None:
        self._engine = engine
        self._resolve = resolve
        self._sole_user = sole_user

    async def find(self, voice_id: str, converter: str | None = None) -> tuple[Target, str]:
        """A voice and the converter that sings it, which has what it needs for that.

        Args:
            voice_id: of which voice.
            converter: that is to sing it; without, the voice says which.

        Raises:
            VoiceNotFound, VoiceNotReady: as they say. ProtocolError: the converter does not sing it.
        """
        if converter not in (None, *self._engine.converters):
            known = ", ".join(self._engine.converters)
            raise ProtocolError(
                "invalid_parameter", f"no converter {converter!r:.60}", f"choose one of {known}"
            )
        voice = await self._resolve(voice_id, self._sole_user)
        converter = converter or voice.converters[0]
        if converter not in voice.converters:
            raise ProtocolError(
                "invalid_parameter",
                f"{converter!r} does not sing {voice.name!r}",
                f"start a session with {voice.converters[0]!r}, or without naming a converter",
            )
        try:
            await asyncio.to_thread(self._engine.prepare, converter, voice)
        except PipelineError as problem:
            raise VoiceNotReady(problem.message, *problem.suggestions) from problem
        return voice, converter

    async def blend(self, asked: protocol.AskedBlend, converter: str, stay: Stay | None) -> Blend | None:
        """The second voice; one that is blended already is not read again, so that a slider is cheap.

        Args:
            asked: which and how much of it; None: none.
            converter: that is to blend it.
            stay: of the client, if it sings already.

        Raises:
            VoiceNotFound: as it says. ProtocolError: it cannot be blended.
        """
        if asked.voice is None:
            return None
        if stay is not None and stay.session.blend is not None and asked.voice == stay.blend_id:
            return Blend(stay.session.blend.voice, asked.share)
        voice = await self._resolve(asked.voice, self._sole_user)
        if not isinstance(voice, Voice) or converter not in Voice.converters:
            raise ProtocolError("invalid_parameter", f"{voice.name!r} cannot be blended with this voice")
        return Blend(voice, asked.share)
