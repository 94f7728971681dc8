"""What can be wrong with a stored thing that somebody asks for."""

from __future__ import annotations


class StorageError(Exception):
    """A stored thing cannot be had; `code` is the API's."""

    def __init__(self, code: str, message: str, *suggestions: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.suggestions = list(suggestions)


class ProfileNotFound(StorageError):
    """No such voice profile."""

    def __init__(self, profile_id: str) -> None:
        super().__init__(
            "profile_not_found",
            f"there is no voice profile {profile_id[:64]!r}",
            "list them with GET /api/v1/voice/profiles, or autovoice voices list",
        )


class NotMeasured(StorageError):
    """A voice that sings but was not measured of a recording."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "invalid_parameter",
            f"{name!r} is an RVC voice: it can only be sung with, alone",
            "choose a built-in voice, or one that was made from a recording",
        )


class NotYourProfile(StorageError):
    """Somebody else's voice profile, or one that belongs to all."""

    def __init__(self, message: str) -> None:
        super().__init__("unauthorized", message, "send the user_id that the profile was made with")
