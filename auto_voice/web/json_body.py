"""JSON bodies of requests, and the fields in them."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from auto_voice.web.errors import ApiError
from auto_voice.web.validators import InvalidParameter


async def read_object(request: web.Request, max_bytes: int, example: str) -> dict[str, Any]:
    """The JSON object that a request carries.

    Args:
        request: its body is read.
        max_bytes: the most that it may hold.
        example: of what to send, for who sent something else.

    Raises:
        ApiError: the body is too large, or no JSON object.
    """

    def refuse(what: str) -> ApiError:
        return ApiError("invalid_request", f"the body {what}", f"send {example}")

    raw = bytearray()
    async for part in request.content.iter_any():
        raw += part
        if len(raw) > max_bytes:
            raise refuse(f"is over {max_bytes} bytes")
    try:
        given = json.loads(raw)
        json.dumps(given, ensure_ascii=False).encode()  # half a character (a lone surrogate) is none
    except (ValueError, RecursionError) as problem:
        raise refuse("is not JSON") from problem
    if not isinstance(given, dict):
        raise refuse("is not an object")
    return given


def text_of(given: dict[str, Any], name: str, default: str) -> str:
    """A text.

    Raises:
        InvalidParameter: it is something else.
    """
    value = given.get(name, default)
    if not isinstance(value, str):
        raise InvalidParameter(name, "must be a text")
    return value


def number_of(given: dict[str, Any], name: str, low: float, high: float) -> float:
    """A number that is there.

    Raises:
        InvalidParameter: it is something else, or outside low to high.
    """
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidParameter(name, f"must be a number from {low:g} to {high:g}")
    return float(value)
