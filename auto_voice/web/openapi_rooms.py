"""The part of the OpenAPI document that is about rooms of karaoke."""

from __future__ import annotations

from typing import Any

from auto_voice.renditions import MOST_SEMITONES, TEMPOS
from auto_voice.web.openapi_parts import (
    FLAG,
    NUMBER,
    TEXT,
    USER,
    WHOLE,
    answers,
    in_path,
    record,
    ref,
)

_MEMBER = record(
    "id name role host present",
    id=TEXT,
    name=TEXT,
    role={"enum": ["singer", "listener"]},
    host=FLAG,
    present=FLAG,
    place={"type": ["integer", "null"]},
    part=WHOLE,
    ready=FLAG,
    voice={"type": ["string", "null"]},
    score=WHOLE,
    streak=WHOLE,
)
_NAMES = (
    "code song_id title seconds semitones tempo run starts_at_ms lasts_s listeners_most members websocket_url"
)
SCHEMAS: dict[str, Any] = {
    "Room": record(
        _NAMES,
        code=TEXT,
        song_id=TEXT,
        title=TEXT,
        seconds=NUMBER,
        semitones=WHOLE,
        tempo=WHOLE,
        run=WHOLE,
        starts_at_ms={"type": ["number", "null"]},
        lasts_s=WHOLE,
        listeners_most=WHOLE,
        members={"type": "array", "items": _MEMBER},
        websocket_url=TEXT,
        token=TEXT,
        song=ref("Stage"),
    )
}
_CODE = in_path("code")
_BASE = "/api/v1/karaoke/rooms"


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


_ASKED = record(
    "song_id",
    song_id={"type": "string", "minLength": 1},
    semitones={"type": "integer", "minimum": -MOST_SEMITONES, "maximum": MOST_SEMITONES},
    tempo={"type": "integer", "minimum": TEMPOS[0], "maximum": TEMPOS[1]},
)
PATHS: dict[str, Any] = {
    _BASE: {
        "post": {
            "summary": "Open a room for a song; whoever has its code may come in",
            "parameters": [USER],
            "requestBody": _body(_ASKED),
            "responses": answers(
                201, "the room, and the host's token", ref("Room"), 400, 403, 404, 409, 410, 503
            ),
        }
    },
    f"{_BASE}/{{code}}": {
        "get": {
            "summary": "Who is in a room, and its song with all that is sung",
            "parameters": [_CODE],
            "responses": answers(200, "the room", ref("Room"), 404, 409, 410),
        }
    },
    f"{_BASE}/{{code}}/audio/{{track}}": {
        "get": {
            "summary": "The accompaniment or the guide of a room's song as FLAC, as it is played there",
            "parameters": [_CODE, in_path("track")],
            "responses": {
                **answers(200, "", {}, 404, 409, 410, 416, 503),
                "200": {"description": "the audio"},
                "206": {"description": "the range asked for"},
            },
        }
    },
    f"{_BASE}/{{code}}/singer": {
        "post": {
            "summary": "Lead a singer's live sessions to the process of the room, without a key of their own",
            "parameters": [_CODE],
            "requestBody": _body(record("token", token=TEXT)),
            "responses": answers(
                200, "whether they sing as a guest", record("guest", guest=FLAG), 400, 403, 404
            ),
        }
    },
}
