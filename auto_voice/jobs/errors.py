"""What can be wrong with a job that somebody asks for."""

from __future__ import annotations


class JobError(Exception):
    """A job that cannot be had; `code` is the API's."""

    def __init__(self, code: str, message: str, *suggestions: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.suggestions = list(suggestions)


class JobNotFound(JobError):
    """No such job."""

    def __init__(self, job_id: str) -> None:
        super().__init__("conversion_not_found", f"there is no conversion {job_id[:64]!r}", "check its id")


class NotYourJob(JobError):
    """Somebody else's job."""

    def __init__(self) -> None:
        super().__init__(
            "unauthorized", "this conversion belongs to somebody else", "send the user_id it was made with"
        )


class QueueFull(JobError):
    """As many jobs wait as may."""

    def __init__(self, waiting: int) -> None:
        super().__init__(
            "service_unavailable", f"{waiting} conversions wait already", "try again in some minutes"
        )


class JobFinished(JobError):
    """Too late to change it."""

    def __init__(self, status: str) -> None:
        super().__init__("conversion_finished", f"the conversion is {status} already", "start a new one")
