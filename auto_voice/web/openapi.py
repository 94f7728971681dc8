"""The OpenAPI document of the REST interface, written by hand beside the code that it describes."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from auto_voice import __version__
from auto_voice.web import openapi_karaoke, openapi_rooms, openapi_takes, openapi_voices
from auto_voice.web.openapi_parts import (
    ANY_OBJECT,
    BINARY,
    FLAG,
    MAYBE_TEXT,
    NUMBER,
    PAGES,
    SCHEMAS,
    TEXT,
    USER,
    answer,
    answers,
    between,
    form,
    in_path,
    in_query,
    record,
    ref,
    volume,
)
from pipeline.encoder import FORMATS
from pipeline.pitch.names import TRACKERS
from pipeline.speech.languages import LANGUAGES
from pipeline.speech.limits import LONGEST_TEXT, PITCHES, SPEEDS

PATHS: dict[str, Any] = {
    "/health": {"get": {"summary": "Is the server well?", "responses": answers(200, "yes", ANY_OBJECT, 503)}},
    "/api/v1/live/offer": {
        "post": {
            "summary": "Begin a live session over WebRTC data channels",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": record("type sdp", type={"const": "offer"}, sdp=TEXT)}
                },
            },
            "responses": answers(
                200, "the answer", record("type sdp", type={"const": "answer"}, sdp=TEXT), 400, 503
            ),
        }
    },
    "/api/v1/live/ice-servers": {
        "get": {
            "summary": "What an RTCPeerConnection to this server should be given",
            "responses": answers(
                200, "STUN and TURN servers", record("ice_servers", ice_servers={"type": "array"})
            ),
        }
    },
    "/api/v1/voice/profiles": {
        "get": {
            "summary": "Voices that a user may use",
            "parameters": [
                USER,
                *PAGES,
                in_query("sort_by", {"enum": ["created_at", "profile_name"]}),
                in_query("order", {"enum": ["asc", "desc"]}),
            ],
            "responses": answers(
                200,
                "a page of voices",
                record(
                    "profiles pagination",
                    profiles={"type": "array", "items": ref("Profile")},
                    pagination=ref("Pagination"),
                ),
                400,
            ),
        }
    },
    "/api/v1/voice/profiles/{profile_id}": {
        "get": {
            "summary": "One voice",
            "parameters": [in_path("profile_id")],
            "responses": answers(200, "the voice", ref("Profile"), 404),
        },
        "patch": openapi_voices.CHANGE,
        "delete": {
            "summary": "Delete a voice for good",
            "parameters": [in_path("profile_id"), USER],
            "responses": answers(200, "deleted", ANY_OBJECT, 400, 403, 404),
        },
    },
    "/api/v1/voice/clone": {
        "post": {
            "summary": "Make a voice from a recording of 30 to 120 s",
            "requestBody": form(
                ["audio", "user_id"],
                audio=BINARY,
                user_id={"type": "string", "minLength": 1, "maxLength": 100},
                profile_name={"type": "string", "maxLength": 100},
                consent={"type": "string", "maxLength": 1000},
                description={"type": "string", "maxLength": 1000},
            ),
            "responses": answers(201, "the voice", ref("Profile"), 400, 413, 503, 507),
        }
    },
    "/api/v1/synthesize": {
        "post": {
            "summary": "Speak a text in a voice: as JSON, or with `stream` as the file itself while it is made",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            **record(
                                "text",
                                text={"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
                                voice=MAYBE_TEXT,
                                speaker_id={"type": "integer", "minimum": 0},
                                language={"enum": list(LANGUAGES)},
                                speed=between(SPEEDS, 1),
                                pitch_semitones=between(PITCHES, 0),
                                format={"enum": list(FORMATS)},
                                stream=FLAG,
                            ),
                            "additionalProperties": False,
                        }
                    }
                },
            },
            "responses": {
                **answers(200, "what was said", ref("Speech"), 400, 404, 500, 503),
                "200": {
                    "description": "what was said",
                    "content": {
                        "application/json": {"schema": ref("Speech")},
                        **{kind: {"schema": BINARY} for kind in FORMATS.values()},
                    },
                },
            },
        }
    },
    "/api/v1/synthesize/languages": {
        "get": {
            "summary": "The languages that are spoken",
            "responses": answers(200, "all of them", record("languages", languages={"type": "array"})),
        }
    },
    "/api/v1/convert/song": {
        "post": {
            "summary": "Convert a song; it is done in the background",
            "requestBody": form(
                ["song", "target_profile_id"],
                song=BINARY,
                target_profile_id={"type": "string", "minLength": 1},
                user_id={"type": "string", "maxLength": 100},
                quality_preset={"enum": ["fast", "balanced", "quality"]},
                vocal_volume=volume(1.0),
                instrumental_volume=volume(0.9),
                pitch_shift_semitones={"type": "number", "minimum": -12, "maximum": 12, "default": 0},
                shift_accompaniment=FLAG,
                temperature={"type": "number", "minimum": 0.5, "maximum": 2},
                return_stems=FLAG,
                use_cache=FLAG,
                output_format={"enum": ["wav", "flac", "mp3", "ogg"]},
                pitch_tracker={"enum": [*TRACKERS], "default": TRACKERS[0]},
            ),
            "responses": answers(202, "it is in the queue", ref("Conversion"), 400, 404, 413, 503, 507),
        }
    },
    "/api/v1/convert/jobs": {
        "get": {
            "summary": "A user's conversions, the newest first",
            "parameters": [{**USER, "required": True}, *PAGES],
            "responses": answers(
                200,
                "a page of conversions",
                record(
                    "conversions pagination",
                    conversions={"type": "array", "items": ref("Conversion")},
                    pagination=ref("Pagination"),
                ),
                400,
            ),
        }
    },
    "/api/v1/convert/status/{conversion_id}": {
        "get": {
            "summary": "How far a conversion is",
            "parameters": [in_path("conversion_id"), USER],
            "responses": answers(200, "its state", ref("Conversion"), 400, 403, 404),
        }
    },
    "/api/v1/convert/cancel/{conversion_id}": {
        "post": {
            "summary": "Give a conversion up",
            "parameters": [in_path("conversion_id"), USER],
            "responses": answers(200, "its state", ref("Conversion"), 400, 403, 404, 409),
        }
    },
    "/api/v1/convert/{conversion_id}": {
        "delete": {
            "summary": "Give a conversion up",
            "parameters": [in_path("conversion_id"), USER],
            "responses": answers(200, "its state", ref("Conversion"), 400, 403, 404, 409),
        }
    },
    "/api/v1/convert/download/{conversion_id}/{file}": {
        "get": {
            "summary": "A result: converted.FORMAT, vocals.wav, instrumental.wav, or the original",
            "parameters": [in_path("conversion_id"), in_path("file"), USER],
            "responses": {
                **answers(200, "", {}, 400, 403, 404, 409, 410, 416),
                "200": {"description": "the audio"},
                "206": {"description": "the range asked for"},
            },
        }
    },
    "/api/v1/queue/status": {
        "get": {"summary": "How many conversions wait", "responses": answers(200, "counts", ANY_OBJECT)}
    },
}

WHO = record("api_key_required user role", api_key_required=FLAG, user=MAYBE_TEXT, role=MAYBE_TEXT)
TICKET = record("ticket expires_in_seconds", ticket=TEXT, expires_in_seconds=NUMBER)
PARTS = (openapi_karaoke, openapi_rooms, openapi_takes, openapi_voices)
for part in PARTS:
    PATHS |= part.PATHS
    SCHEMAS |= part.SCHEMAS
PATHS |= {
    f"/api/v1/{name}": {method: {"summary": summary, "responses": answers(200, "as asked", schema)}}
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
            _operation["responses"].setdefault(_status, answer(_text, ref("Error")))

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
