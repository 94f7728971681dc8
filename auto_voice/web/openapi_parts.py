"""What the OpenAPI document is made of: the schemas of answers, and short ways to write the rest."""

from __future__ import annotations

from typing import Any

NUMBER, TEXT, FLAG, WHOLE = {"type": "number"}, {"type": "string"}, {"type": "boolean"}, {"type": "integer"}
MAYBE_TEXT = {"type": ["string", "null"]}
TEXTS = {"type": "array", "items": TEXT}
ANY_OBJECT: dict[str, Any] = {"type": "object"}


def record(required: str, **properties: Any) -> dict[str, Any]:
    """An object with these properties; `required` names those that must be there."""
    return {"type": "object", "properties": properties, "required": required.split()}


SCHEMAS: dict[str, Any] = {
    "Error": record(
        "error message details",
        error=TEXT,
        message=TEXT,
        details={**record("suggestions", suggestions=TEXTS), "additionalProperties": True},
    ),
    "Profile": record(
        "profile_id user_id profile_name description created_at builtin kind vocal_range quality_metrics needs",
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
        kind={"enum": ["recording", "rvc"]},
        model={"$ref": "#/components/schemas/RvcModel"},
        settings={"$ref": "#/components/schemas/RvcSettings"},
        picture_url=MAYBE_TEXT,
        needs={"type": "array", "items": record("weights command", weights=TEXT, command=TEXT)},
    ),
    "Speech": record(
        "status audio format sample_rate duration metadata",
        status={"const": "success"},
        audio={"type": "string", "contentEncoding": "base64"},
        format=TEXT,
        sample_rate=WHOLE,
        duration=NUMBER,
        metadata=ANY_OBJECT,
    ),
    "Pagination": record(
        "total offset limit page per_page pages",
        **dict.fromkeys(("total", "offset", "limit", "page", "per_page", "pages"), WHOLE),
    ),
    "Conversion": record(
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


def answer(text: str, schema: Any) -> dict[str, Any]:
    """An answer in JSON."""
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def ref(name: str) -> dict[str, str]:
    """One of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def answers(status: int, text: str, schema: Any, *errors: int) -> dict[str, Any]:
    """What an operation answers when it works, and its errors."""
    documented = {str(code): answer("what is wrong, and what to do", ref("Error")) for code in errors}
    return {str(status): answer(text, schema), **documented}


def in_query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter in the query."""
    return {"name": name, "in": "query", "required": False, "schema": schema}


def in_path(name: str) -> dict[str, Any]:
    """A parameter in the path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def form(required: list[str], **properties: Any) -> dict[str, Any]:
    """A multipart form."""
    schema = {"type": "object", "properties": properties, "required": required}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


BINARY = {"type": "string", "format": "binary"}
USER = in_query("user_id", {"type": "string", "maxLength": 100})
PAGES = [
    in_query("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000}),
    in_query("per_page", {"type": "integer", "minimum": 1, "maximum": 200}),
    in_query("limit", {"type": "integer", "minimum": 1, "maximum": 200}),
    in_query("offset", {"type": "integer", "minimum": 0, "maximum": 999_999_999}),
]


def volume(default: float) -> dict[str, Any]:
    """A factor of loudness."""
    return {"type": "number", "minimum": 0, "maximum": 2, "default": default}


def between(bounds: tuple[float, float], default: float) -> dict[str, Any]:
    """A number within bounds."""
    return {"type": "number", "minimum": bounds[0], "maximum": bounds[1], "default": default}
