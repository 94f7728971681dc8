"""The part of the OpenAPI document that is about takes of karaoke."""

from __future__ import annotations

from typing import Any

from auto_voice.renditions import MOST_SEMITONES, TEMPOS
from auto_voice.web.openapi_parts import (
    ANY_OBJECT,
    BINARY,
    MAYBE_TEXT,
    NUMBER,
    PAGES,
    TEXT,
    TEXTS,
    USER,
    WHOLE,
    answers,
    between,
    in_path,
    in_query,
    record,
    ref,
)

_BASE = "/api/v1/karaoke/takes"
_ID = in_path("take_id")
_URLS = {"type": "object", "additionalProperties": TEXT}
_RENDITION = record(
    "job_id status progress voice notes received websocket_url audio_urls",
    job_id=TEXT,
    status={"enum": ["queued", "processing", "completed", "failed", "cancelled", "expired"]},
    progress=NUMBER,
    voice=TEXT,
    notes=TEXTS,
    error={"type": ["object", "null"]},
    received=record("mix", mix=WHOLE),
    websocket_url=TEXT,
    audio_urls=_URLS,
)
_ABOUT: dict[str, Any] = {
    "semitones": {"type": "integer", "minimum": -MOST_SEMITONES, "maximum": MOST_SEMITONES, "default": 0},
    "tempo": {"type": "integer", "minimum": TEMPOS[0], "maximum": TEMPOS[1], "default": 100},
    "voice": {"type": "string", "maxLength": 100, "pattern": r"^[^\x00-\x1f]*$"},
    "voice_name": {"type": "string", "maxLength": 100, "pattern": r"^[^\x00-\x1f]*$"},
    "missing": {"type": "integer", "minimum": 0, "maximum": 10**9, "default": 0},
}
_MIXING: dict[str, Any] = {
    "voice_volume": between((0, 1), 1),
    "track_volume": between((0, 1), 1),
    "effects": {
        "type": "object",
        "maxProperties": 32,
        "propertyNames": {"maxLength": 40},
        "additionalProperties": {
            "type": ["number", "string"],
            "maxLength": 40,
            "minimum": -999999,
            "maximum": 999999,
        },
    },
}
SCHEMAS: dict[str, Any] = {
    "Take": record(
        "take_id song_id user_id status title sample_rate created_at expires_at",
        take_id=TEXT,
        song_id=TEXT,
        user_id=MAYBE_TEXT,
        title=MAYBE_TEXT,
        status={"enum": ["open", "finished", "lost"]},
        sample_rate=WHOLE,
        created_at={"type": "string", "format": "date-time"},
        expires_at={"type": "string", "format": "date-time"},
        received=record("mix", dry=WHOLE, voice=WHOLE, mix=WHOLE),
        most_frames=WHOLE,
        frames=WHOLE,
        seconds=NUMBER,
        audio_urls=_URLS,
        rendition=_RENDITION,
        mixed=WHOLE,
        **_ABOUT,
        **_MIXING,
    )
}
_MIXED = in_query("mixed", {"type": "integer", "minimum": 0, "maximum": 999_999_999})
_KIND = in_query("rendition", {"enum": ["live", "quality"], "default": "live"})
_WHERE = in_query("position", {"type": "integer", "minimum": 0, "maximum": 999_999_999})


def _body(schema: dict[str, Any], required: bool = True) -> dict[str, Any]:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


PATHS: dict[str, Any] = {
    _BASE: {
        "post": {
            "summary": "Begin a take of a stage; its sound is sent in pieces then",
            "parameters": [USER],
            "requestBody": _body(
                record("song_id", song_id={"type": "string", "minLength": 1}, **_ABOUT, **_MIXING)
            ),
            "responses": answers(201, "the take", ref("Take"), 400, 403, 404, 409, 410, 507),
        },
        "get": {
            "summary": "A user's takes, the newest first",
            "parameters": [USER, *PAGES],
            "responses": answers(
                200,
                "a page of them",
                record(
                    "takes pagination",
                    takes={"type": "array", "items": ref("Take")},
                    pagination=ref("Pagination"),
                ),
                400,
            ),
        },
    },
    f"{_BASE}/{{take_id}}": {
        "get": {
            "summary": "A take, and how much of it has come",
            "parameters": [_ID, USER],
            "responses": answers(200, "the take", ref("Take"), 400, 403, 404),
        },
        "patch": {
            "summary": "Mix a take otherwise; the mixes that there are go, and can be sent anew",
            "parameters": [_ID, USER],
            "requestBody": _body({**record("", **_MIXING), "minProperties": 1}),
            "responses": answers(200, "the take", ref("Take"), 400, 403, 404),
        },
        "delete": {
            "summary": "Delete a take for good, with what was made of it",
            "parameters": [_ID, USER],
            "responses": answers(200, "deleted", ANY_OBJECT, 400, 403, 404),
        },
    },
    f"{_BASE}/{{take_id}}/audio/{{track}}": {
        "put": {
            "summary": "Add samples (16 bit, little-endian, 48 kHz; at most 4 MB) to dry, voice or mix",
            "parameters": [_ID, in_path("track"), USER, _WHERE, _MIXED, _KIND],
            "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}},
            "responses": answers(
                200,
                "how many samples there are",
                record("take_id track received", take_id=TEXT, track=TEXT, received=WHOLE),
                *(400, 403, 404, 409, 410, 413, 507),
            ),
        },
        "get": {
            "summary": "A file of a finished take: voice, dry, accompaniment or mix",
            "parameters": [
                _ID,
                in_path("track"),
                USER,
                _KIND,
                in_query("format", {"enum": ["wav", "flac", "mp3"], "default": "flac"}),
            ],
            "responses": {
                **answers(200, "", {}, 400, 403, 404, 409, 410, 416, 503, 507),
                "200": {"description": "the audio"},
                "206": {"description": "the range asked for"},
            },
        },
    },
    f"{_BASE}/{{take_id}}/finish": {
        "post": {
            "summary": "All of a take has come: its files begin at the song's first sample and have one length",
            "parameters": [_ID, USER],
            "requestBody": _body(record("frames", frames={"type": "integer", "minimum": 48_000})),
            "responses": answers(200, "the take", ref("Take"), 400, 403, 404, 409, 410, 503, 507),
        }
    },
    f"{_BASE}/{{take_id}}/render": {
        "post": {
            "summary": "Sing a take again offline, at quality, in its voice or another",
            "parameters": [_ID, USER],
            "requestBody": _body(record("", voice={"type": "string", "maxLength": 100}), required=False),
            "responses": answers(202, "the take", ref("Take"), 400, 403, 404, 409, 410, 503, 507),
        }
    },
}
