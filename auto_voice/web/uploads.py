"""Multipart uploads straight to disk, with limits; nothing large is ever in memory."""

from __future__ import annotations

import asyncio
import shutil
import unicodedata
from collections.abc import Callable
from io import BufferedWriter
from pathlib import Path
from typing import ParamSpec, TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from auto_voice.apart import Apart, WorkDied, WorkTooLarge, WorkTooLong
from auto_voice.web.errors import ApiError
from auto_voice.web.validators import is_plain

P = ParamSpec("P")
R = TypeVar("R")

CHUNK = 1 << 18
UPLOAD_TIMEOUT_S = 600
MOST_PARTS = 64
LEAST_FREE_BYTES = 100 * 2**20  # of the disk, after the upload
MOST_TEXT = 1 << 16  # bytes of all text fields together


async def read_form(
    request: web.Request, path: Path, *, files: tuple[str, ...], max_mb: int
) -> tuple[dict[str, str], str]:
    """As `_read_form`, within UPLOAD_TIMEOUT_S."""
    try:
        async with asyncio.timeout(UPLOAD_TIMEOUT_S):
            return await _read_form(request, path, files=files, max_mb=max_mb)
    except TimeoutError as problem:
        raise ApiError(
            "invalid_request", f"the upload took more than {UPLOAD_TIMEOUT_S} s", "try a faster line"
        ) from problem


async def _read_form(
    request: web.Request, path: Path, *, files: tuple[str, ...], max_mb: int
) -> tuple[dict[str, str], str]:
    """Save the first of `files` that comes to `path`; returns all text fields and the file's own name.

    Raises:
        ApiError: `invalid_request` (no form, or a broken one), `missing_required_field`, `file_too_large`,
            `insufficient_storage`.
    """
    if not request.content_type.startswith("multipart/"):
        raise ApiError(
            "invalid_request",
            "the body must be multipart/form-data",
            f"send the recording in field '{files[0]}'",
        )
    free = (await asyncio.to_thread(shutil.disk_usage, path.parent)).free
    if free < LEAST_FREE_BYTES + max_mb * 2**20:
        raise ApiError("insufficient_storage", "the server's disk is full", "tell the operator")
    fields: dict[str, str] = {}
    name: str | None = None
    parts = spent = 0
    try:
        async for part in await request.multipart():
            parts += 1
            if parts > MOST_PARTS:
                raise ApiError("invalid_request", f"a form may have at most {MOST_PARTS} parts")
            if not isinstance(part, BodyPartReader):
                raise ApiError("invalid_request", "multipart parts must not be nested")
            if part.name in files and name is None:
                name = part.filename or ""
                await _save(part, path, max_mb)
            else:
                text = await _text(part)
                spent += len(text)
                if spent > MOST_TEXT:
                    raise ApiError("invalid_request", f"the text of a form may be {MOST_TEXT} bytes long")
                if part.name is not None:
                    fields[part.name] = text.decode(errors="replace").strip()
    except ConnectionError as problem:
        raise ApiError("invalid_request", "the connection broke off") from problem
    except (ValueError, HttpProcessingError) as problem:
        raise ApiError("invalid_request", f"the multipart body is broken: {problem}") from problem
    if name is None:
        raise ApiError("missing_required_field", "the recording is missing", f"send it in field '{files[0]}'")
    return fields, name


async def _text(part: BodyPartReader) -> bytes:
    """The whole of a text field, which may come in pieces."""
    text = b""
    while chunk := await part.read_chunk(CHUNK):
        text += chunk
        if len(text) > MOST_TEXT:
            raise ApiError("invalid_request", f"the text of a form may be {MOST_TEXT} bytes long")
    return text


async def _save(part: BodyPartReader, path: Path, max_mb: int) -> None:
    limit = max_mb * 2**20
    size = 0
    opening = asyncio.ensure_future(asyncio.to_thread(path.open, "wb"))
    try:
        file = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)  # the thread goes on, and opens it
        raise
    try:
        while chunk := await part.read_chunk(CHUNK):
            size += len(chunk)
            if size > limit:
                raise ApiError(
                    "file_too_large",
                    f"the recording is over {max_mb} MB",
                    "send a shorter or compressed recording",
                )
            await asyncio.to_thread(file.write, chunk)
    finally:
        await asyncio.to_thread(file.close)


def _close(opening: asyncio.Future[BufferedWriter]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def bare_name(file_name: str) -> str:
    """A file's name without its folders, for people to read: what is no text in it becomes U+FFFD."""
    name = Path(file_name.replace("\\", "/").replace("\0", "")).name[:200]
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in name)


def plain_text(fields: dict[str, str], name: str, most: int) -> str | None:
    """A text field, or None when it is missing or empty.

    Raises:
        ApiError: too long, or with control characters.
    """
    text = fields.get(name) or None
    if text is not None and not is_plain(text, most):
        raise ApiError("invalid_parameter", f"{name} must be a plain text of at most {most} characters")
    return text


async def within_limits(
    apart: Apart, seconds: float, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Have a process that is there for this read what was uploaded.

    Raises:
        ApiError: `invalid_audio` (beyond its time or memory), `service_unavailable` (the process died).
        PipelineError: what is wrong with the file.
    """
    another = "send it as WAV or FLAC"
    try:
        return await apart.run(seconds, function, *args, **kwargs)
    except WorkTooLong as problem:
        raise ApiError("invalid_audio", f"reading the file took more than {seconds:g} s", another) from problem
    except WorkTooLarge as problem:
        raise ApiError("invalid_audio", "reading the file takes too much memory", another) from problem
    except WorkDied as problem:
        raise ApiError(
            "service_unavailable", "the process that read the file died", "try again in a minute", another
        ) from problem
