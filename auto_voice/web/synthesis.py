"""`POST /api/v1/synthesize`: a text spoken in a voice; `GET /api/v1/synthesize/languages`."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from auto_voice.speaking import Order, Part
from auto_voice.storage.profiles import ProfileStore
from auto_voice.web.auth import sole_user
from auto_voice.web.current import CURRENT
from auto_voice.web.errors import ApiError
from auto_voice.web.health import SPEAKING
from auto_voice.web.json_body import number_of, read_object, text_of
from auto_voice.web.metrics import METRICS
from auto_voice.web.validators import InvalidParameter
from pipeline.encoder import FORMATS
from pipeline.errors import PipelineError
from pipeline.speech.languages import DEFAULT_LANGUAGE, LANGUAGES, language
from pipeline.speech.limits import PITCHES, SPEEDS, check_text

VOICES = web.AppKey("voices_of_speech", ProfileStore)
SAMPLE_RATE = 48_000
MAX_BODY = 131_072  # bytes; the longest text is less, however it is escaped
VOICE_NAMES = ("voice", "profile_id", "target_profile_id")
KNOWN = {"text", *VOICE_NAMES, "speaker_id", "language", "speed", "pitch_semitones", "format", "stream"}


@dataclass(frozen=True)
class Wish:
    """What a client asks for."""

    order: Order
    stream: bool


def add_routes(app: web.Application) -> None:
    """Register the endpoints."""
    app.router.add_post("/api/v1/synthesize", synthesize)
    app.on_shutdown.append(_fall_silent)
    app.router.add_get("/api/v1/synthesize/languages", languages)


async def _fall_silent(app: web.Application) -> None:
    """End what is spoken, or the server would wait for it."""
    await asyncio.to_thread(app[SPEAKING].close)


async def languages(request: web.Request) -> web.Response:
    """The languages that are spoken."""
    return web.json_response(
        {"languages": [{"language": key, "name": one.name} for key, one in LANGUAGES.items()]}
    )


async def synthesize(request: web.Request) -> web.StreamResponse:
    """Speak a text: as JSON with the file in base64, or as the file itself while it is made.

    Raises:
        ApiError, InvalidParameter, PipelineError: what is wrong with the request.
    """
    app, metrics = request.app, request.app[METRICS]
    if not app[CURRENT].settings.limits.concurrent_speech:
        raise ApiError("service_unavailable", "this server does not speak", "ask its operator")
    wish = await _read(request)
    order = wish.order
    profile = await asyncio.to_thread(app[VOICES].get, order.voice_id, sole_user(request))
    began, status = time.monotonic(), "error"
    try:
        async with aclosing(app[SPEAKING].speak(order)) as parts:
            answer: web.StreamResponse
            if wish.stream:
                answer = await _as_file(request, order, parts, began)
            else:
                answer = await _as_json(request, order, profile, parts)
        status = "success"
        return answer
    except (ConnectionResetError, asyncio.CancelledError):
        status = "cancelled"
        raise
    finally:
        metrics.tts_requests.labels(status=status).inc()
        if status == "success":
            metrics.tts_seconds.observe(time.monotonic() - began)


async def _as_file(
    request: web.Request, order: Order, parts: AsyncIterator[Part], began: float
) -> web.StreamResponse:
    """The bytes as they come; what goes wrong before the first is still told as an error."""
    answer = web.StreamResponse(headers={"Content-Type": FORMATS[order.format], "Cache-Control": "no-store"})
    answer.enable_chunked_encoding()
    try:
        async for part in parts:
            if not answer.prepared:
                if not part.seconds:
                    continue
                request.app[METRICS].tts_first_seconds.observe(time.monotonic() - began)
                await answer.prepare(request)
            if part.data:
                await answer.write(part.data)
    except PipelineError:
        if answer.prepared and request.transport is not None:
            request.transport.abort()  # a file that breaks off must not look whole
        raise
    await answer.write_eof()
    return answer


async def _as_json(
    request: web.Request, order: Order, profile: dict[str, Any], parts: AsyncIterator[Part]
) -> web.Response:
    made: list[Part] = []
    async for part in parts:
        made.append(part)
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError("nobody waits for it any more")
    document = {
        "status": "success",
        "audio": base64.b64encode(b"".join(part.data for part in made)).decode(),
        "format": order.format,
        "sample_rate": SAMPLE_RATE,
        "duration": round(sum(part.seconds for part in made), 3),
        "metadata": {
            "profile_id": profile["profile_id"],
            "profile_name": profile["profile_name"],
            "language": order.spoken,
            "speed": order.speed,
            "pitch_semitones": order.pitch,
            "characters": len(order.text),
        },
    }
    return web.json_response(document)


async def _read(request: web.Request) -> Wish:
    if request.content_type != "application/json":
        raise ApiError("invalid_request", "the body must be application/json", 'send {"text": "…"}')
    given = await read_object(request, MAX_BODY, '{"text": "…"}')
    config = given.pop("voice_config", None) or {}
    if not isinstance(config, dict):
        raise InvalidParameter("voice_config", "must be an object")
    given = {"speed": config.get("speed", 1.0), "pitch_semitones": config.get("pitch", 0.0)} | given
    if unknown := sorted(set(given) - KNOWN):
        raise InvalidParameter(unknown[0][:40], f"is not known; use {', '.join(sorted(KNOWN))}")
    if given.get("text") is None:
        raise ApiError("missing_parameter", "text is missing", "send what is to be spoken")
    wanted = text_of(given, "format", "wav").lower()
    if wanted not in FORMATS:
        raise InvalidParameter("format", f"must be one of {', '.join(FORMATS)}")
    spoken = text_of(given, "language", DEFAULT_LANGUAGE)
    language(spoken)
    stream = given.get("stream", request.headers.get("Accept", "").startswith("audio/"))
    if not isinstance(stream, bool):
        raise InvalidParameter("stream", "must be true or false")
    text = check_text(text_of(given, "text", ""))
    speed, pitch = number_of(given, "speed", *SPEEDS), number_of(given, "pitch_semitones", *PITCHES)
    voice = await asyncio.to_thread(_voice, given, request.app[VOICES])
    return Wish(Order(text, voice, spoken, speed, pitch, wanted), stream)


def _voice(given: dict[str, Any], store: ProfileStore) -> str:
    """The id of a voice; `speaker_id` counts the built-in ones, as clients of old do."""
    for name in VOICE_NAMES:
        if given.get(name) is not None:
            return text_of(given, name, "")
    number = given.get("speaker_id", 0)
    known = [profile["profile_id"] for profile in store.list(None, 0, 1000)[0] if profile["builtin"]]
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(known):
        raise ApiError(
            "invalid_speaker_id", f"there is no speaker {str(number)[:20]}", f"use 0 to {len(known) - 1}"
        )
    return str(sorted(known)[number])
