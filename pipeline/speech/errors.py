"""What can be wrong with a text that is to be spoken."""

from __future__ import annotations

from pipeline.errors import PipelineError


class TextTooLong(PipelineError):
    """More characters than are spoken at once."""

    code = "text_too_long"


class NothingToSay(PipelineError):
    """A text without a word in it."""

    code = "invalid_parameter"


class InvalidLanguage(PipelineError):
    """A language that is not known."""

    code = "invalid_parameter"


class SynthesisFailed(PipelineError):
    """The synthesiser could not speak a text."""

    code = "synthesis_failed"


class SpeechUnavailable(PipelineError):
    """The packages that speak are not installed."""

    code = "service_unavailable"


class SpeechBusy(PipelineError):
    """Too many texts wait."""

    code = "service_unavailable"
