"""The part of the OpenAPI document that is about karaoke."""

from __future__ import annotations

from typing import Any

from auto_voice.renditions import MOST_SEMITONES, TEMPOS
from auto_voice.web.openapi_parts import (
    ANY_OBJECT,
    BINARY,
    FLAG,
    MAYBE_TEXT,
    NUMBER,
    PAGES,
    TEXT,
    TEXTS,
    USER,
    WHOLE,
    answers,
    form,
    in_path,
    in_query,
    record,
    ref,
)

_SPAN = {"start_s": NUMBER, "end_s": NUMBER}
_KIND = {"enum": ["normal", "golden", "freestyle", "rap", "rap_golden"]}
_WORD = record("start_s end_s text", **_SPAN, text=TEXT)
_CHART = record(
    "notes lines tags",
    notes={"type": "array", "items": record("start_s end_s pitch kind", **_SPAN, pitch=WHOLE, kind=_KIND)},
    lines={
        "type": "array",
        "items": record("start_s end_s words", **_SPAN, words={"type": "array", "items": _WORD}),
    },
    tags=ANY_OBJECT,
)
SCHEMAS: dict[str, Any] = {
    "Stage": record(
        "song_id title status progress notes created_at",
        song_id=TEXT,
        title=MAYBE_TEXT,
        status={"enum": ["queued", "processing", "completed", "failed", "cancelled", "expired"]},
        progress=NUMBER,
        notes=TEXTS,
        seconds=NUMBER,
        key={"type": ["object", "null"]},
        tempo={"type": ["object", "null"]},
        parts={"type": "array", "items": _CHART},
        has_lyrics=FLAG,
        accompaniment_url=TEXT,
        guide_url=TEXT,
    )
}
_ID = in_path("song_id")
_BASE = "/api/v1/karaoke/songs"
PATHS: dict[str, Any] = {
    _BASE: {
        "post": {
            "summary": "Make a stage of a song: sent as a form, or that of a conversion, as JSON",
            "requestBody": {
                "required": True,
                "content": {
                    **form(
                        ["song"],
                        song=BINARY,
                        title={"type": "string", "maxLength": 200},
                        preset={"enum": ["fast", "balanced", "quality"]},
                        user_id={"type": "string", "maxLength": 100},
                    )["content"],
                    "application/json": {
                        "schema": record(
                            "conversion_id",
                            conversion_id={"type": "string", "minLength": 1},
                            title={"type": "string", "maxLength": 200},
                        )
                    },
                },
            },
            "responses": answers(202, "its ids", ref("Stage"), 400, 403, 404, 410, 413, 503, 507),
        },
        "get": {
            "summary": "A user's stages, the newest first",
            "parameters": [USER, *PAGES],
            "responses": answers(
                200,
                "a page of them",
                record(
                    "songs pagination",
                    songs={"type": "array", "items": ref("Stage")},
                    pagination=ref("Pagination"),
                ),
                400,
            ),
        },
    },
    f"{_BASE}/{{song_id}}": {
        "get": {
            "summary": "How far a stage is; once it is there, what is sung",
            "parameters": [_ID, USER],
            "responses": answers(200, "the stage", ref("Stage"), 400, 403, 404, 410),
        },
        "delete": {
            "summary": "Delete a stage for good",
            "parameters": [_ID, USER],
            "responses": answers(200, "deleted", ANY_OBJECT, 400, 403, 404),
        },
    },
    f"{_BASE}/{{song_id}}/audio/{{track}}": {
        "get": {
            "summary": "The accompaniment or the guide as FLAC, in another key or tempo if wanted",
            "parameters": [
                _ID,
                in_path("track"),
                USER,
                in_query(
                    "semitones", {"type": "integer", "minimum": -MOST_SEMITONES, "maximum": MOST_SEMITONES}
                ),
                in_query("tempo", {"type": "integer", "minimum": TEMPOS[0], "maximum": TEMPOS[1]}),
            ],
            "responses": {
                **answers(200, "", {}, 400, 403, 404, 409, 410, 416, 503),
                "200": {"description": "the audio"},
                "206": {"description": "the range asked for"},
            },
        }
    },
    f"{_BASE}/{{song_id}}/lyrics": {
        "put": {
            "summary": "Bring lyrics: an LRC or UltraStar file of at most 512 kB",
            "parameters": [_ID, USER],
            "requestBody": {"required": True, "content": {"text/plain": {"schema": TEXT}}},
            "responses": answers(200, "the stage", ref("Stage"), 400, 403, 404, 409, 410),
        },
        "delete": {
            "summary": "Take the lyrics away",
            "parameters": [_ID, USER],
            "responses": answers(200, "the stage", ref("Stage"), 400, 403, 404, 409, 410),
        },
    },
    f"{_BASE}/{{song_id}}/ultrastar": {
        "get": {
            "summary": "Notes and words as an UltraStar file",
            "parameters": [_ID, USER],
            "responses": {
                **answers(200, "", {}, 400, 403, 404, 409, 410),
                "200": {"description": "the file", "content": {"text/plain": {"schema": TEXT}}},
            },
        }
    },
}
