"""The OpenAPI document of the REST interface, written by hand beside the code that it describes."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from auto_voice import __version__

NUMBER, TEXT, FLAG, WHOLE = {"type": "number"}, {"type": "string"}, {"type": "boolean"}, {"type": "integer"}
MAYBE_TEXT = {"type": ["string", "null"]}
TEXTS = {"type": "array", "items": TEXT}
ANY_OBJECT: dict[str, Any] = {"type": "object"}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split()}


SCHEMAS: dict[str, Any] = {
    "Error": _object(
        "error message details",
        error=TEXT,
        message=TEXT,
        details={**_object("suggestions", suggestions=TEXTS), "additionalProperties": True},
    ),
    "Profile": _object(
        "profile_id user_id profile_name description created_at builtin vocal_range quality_metrics",
        profile_id=TEXT,
        user_id=MAYBE_TEXT,
        profile_name=TEXT,
        description=TEXT,
        created_at={"type": "string", "format": "date-time"},
        builtin=FLAG,
        audio_info=ANY_OBJECT,
        vocal_range=ANY_OBJECT,
        quality_metrics=ANY_OBJECT,
        speaker_embedding=ANY_OBJECT,
        warnings=TEXTS,
        consent=ANY_OBJECT,
    ),
    "Pagination": _object(
        "total offset limit page per_page pages",
        **dict.fromkeys(("total", "offset", "limit", "page", "per_page", "pages"), WHOLE),
    ),
    "Conversion": _object(
        "conversion_id status progress notes created_at status_url websocket_url",
        conversion_id=TEXT,
        status={"enum": ["queued", "processing", "completed", "failed", "cancelled", "expired"]},
        progress={"type": "number", "minimum": 0, "maximum": 100},
        current_stage=MAYBE_TEXT,
        stage_details={"type": ["object", "null"]},
        song_name=MAYBE_TEXT,
        user_id=MAYBE_TEXT,
        request=ANY_OBJECT,
        notes=TEXTS,
        created_at={"type": "string", "format": "date-time"},
        status_url=TEXT,
        progress_url=TEXT,
        websocket_url=TEXT,
        estimated_time_seconds={"type": ["number", "null"]},
        estimated_time_remaining_seconds={"type": ["number", "null"]},
        result=ANY_OBJECT,
        error={"type": ["object", "null"]},
    ),
}


def _answer(text: str, schema: Any) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answers(status: int, text: str, schema: Any, *errors: int) -> dict[str, Any]:
    documented = {str(code): _answer("what is wrong, and what to do", _ref("Error")) for code in errors}
    return {str(status): _answer(text, schema), **documented}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _form(required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


BINARY = {"type": "string", "format": "binary"}
USER = _query("user_id", {"type": "string", "maxLength": 100})
PAGES = [
    _query("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000}),
    _query("per_page", {"type": "integer", "minimum": 1, "maximum": 200}),
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 200}),
    _query("offset", {"type": "integer", "minimum": 0, "maximum": 999_999_999}),
]


def _volume(default: float) -> dict[str, Any]:
    return {"type": "number", "minimum": 0, "maximum": 2, "default": default}


PATHS: dict[str, Any] = {
    "/health": {"get": {"summary": "Is the server well?", "responses": _answers(200, "yes", ANY_OBJECT, 503)}},
    "/api/v1/live/offer": {
        "post": {
            "summary": "Begin a live session over WebRTC data channels",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": _object("type sdp", type={"const": "offer"}, sdp=TEXT)}
                },
            },
            "responses": _answers(
                200, "the answer", _object("type sdp", type={"const": "answer"}, sdp=TEXT), 400, 503
            ),
        }
    },
    "/api/v1/live/ice-servers": {
        "get": {
            "summary": "What an RTCPeerConnection to this server should be given",
            "responses": _answers(
                200, "STUN and TURN servers", _object("ice_servers", ice_servers={"type": "array"})
            ),
        }
    },
    "/api/v1/voice/profiles": {
        "get": {
            "summary": "Voices that a user may use",
            "parameters": [
                USER,
                *PAGES,
                _query("sort_by", {"enum": ["created_at", "profile_name"]}),
                _query("order", {"enum": ["asc", "desc"]}),
            ],
            "responses": _answers(
                200,
                "a page of voices",
                _object(
                    "profiles pagination",
                    profiles={"type": "array", "items": _ref("Profile")},
                    pagination=_ref("Pagination"),
                ),
                400,
            ),
        }
    },
    "/api/v1/voice/profiles/{profile_id}": {
        "get": {
            "summary": "One voice",
            "parameters": [_path("profile_id")],
            "responses": _answers(200, "the voice", _ref("Profile"), 404),
        },
        "delete": {
            "summary": "Delete a voice for good",
            "parameters": [_path("profile_id"), USER],
            "responses": _answers(200, "deleted", ANY_OBJECT, 400, 403, 404),
        },
    },
    "/api/v1/voice/clone": {
        "post": {
            "summary": "Make a voice from a recording of 30 to 120 s",
            "requestBody": _form(
                ["audio", "user_id"],
                audio=BINARY,
                user_id={"type": "string", "minLength": 1, "maxLength": 100},
                profile_name={"type": "string", "maxLength": 100},
                consent={"type": "string", "maxLength": 1000},
                description={"type": "string", "maxLength": 1000},
            ),
            "responses": _answers(201, "the voice", _ref("Profile"), 400, 413, 503, 507),
        }
    },
    "/api/v1/convert/song": {
        "post": {
            "summary": "Convert a song; it is done in the background",
            "requestBody": _form(
                ["song", "target_profile_id"],
                song=BINARY,
                target_profile_id={"type": "string", "minLength": 1},
                user_id={"type": "string", "maxLength": 100},
                quality_preset={"enum": ["fast", "balanced", "quality"]},
                vocal_volume=_volume(1.0),
                instrumental_volume=_volume(0.9),
                pitch_shift_semitones={"type": "number", "minimum": -12, "maximum": 12, "default": 0},
                shift_accompaniment=FLAG,
                temperature={"type": "number", "minimum": 0.5, "maximum": 2},
                return_stems=FLAG,
                use_cache=FLAG,
                output_format={"enum": ["wav", "flac", "mp3", "ogg"]},
            ),
            "responses": _answers(202, "it is in the queue", _ref("Conversion"), 400, 404, 413, 503, 507),
        }
    },
    "/api/v1/convert/jobs": {
        "get": {
            "summary": "A user's conversions, the newest first",
            "parameters": [{**USER, "required": True}, *PAGES],
            "responses": _answers(
                200,
                "a page of conversions",
                _object(
                    "conversions pagination",
                    conversions={"type": "array", "items": _ref("Conversion")},
                    pagination=_ref("Pagination"),
                ),
                400,
            ),
        }
    },
    "/api/v1/convert/status/{conversion_id}": {
        "get": {
            "summary": "How far a conversion is",
            "parameters": [_path("conversion_id"), USER],
            "responses": _answers(200, "its state", _ref("Conversion"), 400, 403, 404),
        }
    },
    "/api/v1/convert/cancel/{conversion_id}": {
        "post": {
            "summary": "Give a conversion up",
            "parameters": [_path("conversion_id"), USER],
            "responses": _answers(200, "its state", _ref("Conversion"), 400, 403, 404, 409),
        }
    },
    "/api/v1/convert/{conversion_id}": {
        "delete": {
            "summary": "Give a conversion up",
            "parameters": [_path("conversion_id"), USER],
            "responses": _answers(200, "its state", _ref("Conversion"), 400, 403, 404, 409),
        }
    },
    "/api/v1/convert/download/{conversion_id}/{file}": {
        "get": {
            "summary": "A result: converted.FORMAT, vocals.wav, instrumental.wav, or the original",
            "parameters": [_path("conversion_id"), _path("file"), USER],
            "responses": {
                **_answers(200, "", {}, 400, 403, 404, 409, 410, 416),
                "200": {"description": "the audio"},
                "206": {"description": "the range asked for"},
            },
        }
    },
    "/api/v1/queue/status": {
        "get": {"summary": "How many conversions wait", "responses": _answers(200, "counts", ANY_OBJECT)}
    },
}

WHO = _object("api_key_required user role", api_key_required=FLAG, user=MAYBE_TEXT, role=MAYBE_TEXT)
TICKET = _object("ticket expires_in_seconds", ticket=TEXT, expires_in_seconds=NUMBER)
PATHS |= {
    f"/api/v1/{name}": {method: {"summary": summary, "responses": _answers(200, "as asked", schema)}}
    for name, method, summary, schema in (
        ("whoami", "get", "Whether a key is needed, and whose this one is", WHO),
        ("login", "post", "Let this browser's page in with the key of the header, for half a day", WHO),
        ("logout", "post", "Forget the key of this browser's page", ANY_OBJECT),
        ("ticket", "post", "What stands in for the key in an address, for a minute", TICKET),
    )
}
EVERYWHERE = {
    "401": "no key, where one is needed",
    "403": "a key that is not valid, or the page of another site",
    "408": "it took too long",
    "429": "asked too often",
}
for _name, _methods in PATHS.items():
    for _operation in _methods.values() if _name != "/health" else ():
        for _status, _text in EVERYWHERE.items():
            _operation["responses"].setdefault(_status, _answer(_text, _ref("Error")))

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "AutoVoice", "version": __version__, "license": {"name": "Apache-2.0"}},
    "paths": PATHS,
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
    },
}


async def _show(request: web.Request) -> web.Response:
    return web.json_response(DOCUMENT)


def add_routes(app: web.Application) -> None:
    """Register `/api/v1/openapi.json`."""
    app.router.add_get("/api/v1/openapi.json", _show)
