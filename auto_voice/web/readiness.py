"""Voices that need weights which are not on this server are refused before anything is done for them."""

from __future__ import annotations

from typing import Any

from auto_voice.web.errors import ApiError


def check_ready(profile: dict[str, Any]) -> None:
    """Raise unless a voice can be sung with here.

    Raises:
        ApiError: voice_not_ready, with the command that fetches what is missing.
    """
    for need in profile["needs"]:
        raise not_ready(profile["profile_name"], f"run on the server: {need['command']}")


def not_ready(name: str, *suggestions: str) -> ApiError:
    """A voice that needs what this server does not have."""
    return ApiError("voice_not_ready", f"{name!r} needs weights that are not on this server", *suggestions)
