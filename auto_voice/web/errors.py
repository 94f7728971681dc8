"""One table from what went wrong to what the client is told.

Every error of ours carries a `code`, a `message` and `suggestions`; the table gives the HTTP status of a code.
The body is always `{error, message, details: {..., suggestions: [...]}}`.
"""

from __future__ import annotations

import errno
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from auto_voice.jobs.errors import JobError
from auto_voice.logs import ABOUT
from auto_voice.storage.errors import StorageError
from auto_voice.web.validators import InvalidParameter
from pipeline.errors import PipelineError
from realtime.errors import LiveError

log = logging.getLogger(__name__)

STATUS = {
    "invalid_request": 400,
    "invalid_parameter": 400,
    "invalid_offer": 400,
    "missing_parameter": 400,
    "missing_required_field": 400,
    "consent_required": 400,
    "invalid_audio": 400,
    "invalid_audio_format": 400,
    "invalid_audio_duration": 400,
    "invalid_sample_rate": 400,
    "audio_too_short": 400,
    "poor_audio_quality": 400,
    "text_too_long": 400,
    "bad_lyrics": 400,
    "invalid_voice_model": 400,
    "invalid_picture": 400,
    "api_key_required": 401,
    "invalid_api_key": 403,
    "origin_not_allowed": 403,
    "unauthorized": 403,
    "not_found": 404,
    "profile_not_found": 404,
    "voice_not_found": 404,
    "invalid_speaker_id": 404,
    "conversion_not_found": 404,
    "take_not_found": 404,
    "file_not_found": 404,
    "room_not_found": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "conversion_incomplete": 409,
    "conversion_finished": 409,
    "room_full": 409,
    "take_incomplete": 409,
    "take_finished": 409,
    "too_many_takes": 409,
    "chunk_gap": 409,
    "chunk_conflict": 409,
    "file_expired": 410,
    "file_too_large": 413,
    "rate_limited": 429,
    "internal_error": 500,
    "synthesis_failed": 500,
    "weights_corrupt": 500,
    "service_unavailable": 503,
    "server_full": 503,
    "voice_not_ready": 503,
    "too_many_voices": 409,
    "too_many_rooms": 503,
    "weights_unavailable": 503,
    "insufficient_storage": 507,
}


class ApiError(Exception):
    """A request that cannot be granted, for a reason that only the web layer knows."""

    def __init__(self, code: str, message: str, *suggestions: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.suggestions = list(suggestions)
        self.headers: dict[str, str] = {}
        self.details: dict[str, Any] = {}


KNOWN = (ApiError, InvalidParameter, JobError, LiveError, PipelineError, StorageError)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(code: str, message: str, suggestions: list[str], **details: Any) -> web.Response:
    """An error in the documented shape."""
    body = {"error": code, "message": message, "details": {**details, "suggestions": suggestions}}
    return web.json_response(body, status=STATUS.get(code, 400))


def _http_answer(request: web.Request, problem: web.HTTPException) -> web.Response:
    """The documented shape for what aiohttp itself refuses."""
    if isinstance(problem, web.HTTPNotFound):
        return answer("not_found", f"there is nothing at {request.path}", ["see /health for what there is"])
    if isinstance(problem, web.HTTPRequestEntityTooLarge):
        return answer("file_too_large", "the request is too large", ["send a shorter or compressed recording"])
    if isinstance(problem, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(problem.allowed_methods))
        reply = answer("method_not_allowed", f"{request.method} cannot be used here", [f"use {allowed}"])
        reply.headers["Allow"] = allowed
        return reply
    reply = answer("invalid_request", problem.text or problem.reason, ["see the documentation of this address"])
    reply.set_status(problem.status)
    return reply


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into the documented shape; what nobody foresaw is logged with an id and answered 500."""
    try:
        return await handler(request)
    except KNOWN as problem:
        details = getattr(problem, "details", {})
        reply = answer(problem.code, problem.message, list(problem.suggestions), **details)
        reply.headers.update(getattr(problem, "headers", {}))
        return reply
    except web.HTTPException as problem:
        if problem.status < 400:
            raise
        return _http_answer(request, problem)
    except ConnectionResetError:
        log.info("%s %s: the client has gone", request.method, request.path)
        return answer("invalid_request", "the connection was closed", [])  # nobody reads it
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return answer("insufficient_storage", "the server's disk is full", ["tell the operator"])
        reference = ABOUT.get() or uuid.uuid4().hex[:12]
        log.exception("request %s %s failed [%s]", request.method, request.path, reference)
        return answer(
            "internal_error",
            "something went wrong in the server",
            ["try again; if it happens again, tell the operator this reference"],
            reference=reference,
        )
