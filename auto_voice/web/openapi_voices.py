"""The part of the OpenAPI document that is about RVC voices, and what owners change of voices."""

from __future__ import annotations

from typing import Any

from auto_voice.web.openapi_parts import (
    BINARY,
    FLAG,
    TEXT,
    USER,
    WHOLE,
    answers,
    form,
    in_path,
    record,
    ref,
)

_NAME = {"type": "string", "minLength": 1, "maxLength": 100}
_WORDS = {
    "profile_name": _NAME,
    "description": {"type": "string", "maxLength": 1000},
    "consent": {"type": "string", "maxLength": 1000},
}


def _number(low: float, high: float) -> dict[str, Any]:
    return {"type": "number", "minimum": low, "maximum": high}


SCHEMAS: dict[str, Any] = {
    "RvcModel": record(
        "version sample_rate speakers f0 info index_features",
        version={"enum": ["v1", "v2"]},
        sample_rate={"enum": [32_000, 40_000, 48_000]},
        speakers=WHOLE,
        f0=FLAG,
        info=TEXT,
        index_features=WHOLE,
    ),
    "RvcSettings": {
        **record(
            "",
            speaker={"type": "integer", "minimum": 0},
            index_rate=_number(0, 1),
            protect=_number(0, 0.5),
            rms_mix=_number(0, 1),
            pitch_semitones=_number(-24, 24),
            formant_semitones=_number(-12, 12),
            median_f0_hz={"type": ["number", "null"], "minimum": 40, "maximum": 1100},
        ),
        "additionalProperties": False,
    },
}
_ID, _ONE = in_path("profile_id"), "/api/v1/voice/profiles/{profile_id}"
PATHS: dict[str, Any] = {
    "/api/v1/voice/import": {
        "post": {
            "summary": "Bring an RVC voice: a .pth, and its index and a picture if there are",
            "requestBody": form(
                ["model", "user_id"],
                model=BINARY,
                index=BINARY,
                picture=BINARY,
                user_id=_NAME,
                settings={"type": "string", "description": "RvcSettings as JSON"},
                **_WORDS,
            ),
            "responses": answers(201, "the voice", ref("Profile"), 400, 409, 413, 503, 507),
        }
    },
    "/api/v1/voice/merge": {
        "post": {
            "summary": "Make a voice between two RVC voices of one user",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": record(
                            "first second user_id",
                            first=_NAME,
                            second=_NAME,
                            share={"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
                            user_id=_NAME,
                            **_WORDS,
                        )
                    }
                },
            },
            "responses": answers(201, "the voice", ref("Profile"), 400, 403, 404, 409, 503, 507),
        }
    },
    f"{_ONE}/picture": {
        "get": {
            "summary": "The picture of a voice",
            "parameters": [_ID],
            "responses": {
                **answers(200, "", {}, 404),
                "200": {"description": "a square PNG", "content": {"image/png": {"schema": BINARY}}},
            },
        },
        "put": {
            "summary": "Give a voice a picture: a PNG, JPEG or WebP of at most 8 MB",
            "parameters": [_ID, USER],
            "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}},
            "responses": answers(200, "the voice", ref("Profile"), 400, 403, 404, 413, 503, 507),
        },
        "delete": {
            "summary": "Take the picture away",
            "parameters": [_ID, USER],
            "responses": answers(200, "the voice", ref("Profile"), 400, 403, 404),
        },
    },
    f"{_ONE}/phrase": {
        "post": {
            "summary": "A test phrase, sung with a voice",
            "parameters": [_ID],
            "responses": {
                **answers(200, "", {}, 404, 503),
                "200": {"description": "the sound", "content": {"audio/flac": {"schema": BINARY}}},
            },
        }
    },
}
CHANGE: dict[str, Any] = {
    "summary": "Change a voice: its name, its description, how it sings unless told otherwise (RVC voices)",
    "parameters": [_ID, USER],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    **record(
                        "",
                        profile_name=_NAME,
                        description=_WORDS["description"],
                        settings=ref("RvcSettings"),
                    ),
                    "additionalProperties": False,
                }
            }
        },
    },
    "responses": answers(200, "the voice", ref("Profile"), 400, 403, 404, 507),
}
