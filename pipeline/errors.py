"""What can be wrong with audio and weights, each as one kind of exception that says what to do."""

from __future__ import annotations


class PipelineError(Exception):
    """A problem with what the pipeline was given; `code` is the API's name for its kind."""

    code = "invalid_audio"

    def __init__(self, message: str, *suggestions: str) -> None:
        super().__init__(message, *suggestions)
        self.message = message
        self.suggestions = list(suggestions)

    def __str__(self) -> str:
        return self.message


class InvalidAudio(PipelineError):
    """Something that is not audio, or broken audio."""


class InvalidAudioFormat(PipelineError):
    """A kind of file or stream that cannot be decoded."""

    code = "invalid_audio_format"


class InvalidSampleRate(PipelineError):
    """A sample rate out of range."""

    code = "invalid_sample_rate"


class InvalidDuration(PipelineError):
    """Longer than allowed."""

    code = "invalid_audio_duration"


class AudioTooShort(PipelineError):
    """Shorter than needed."""

    code = "audio_too_short"


class PoorQuality(PipelineError):
    """Audio that no good voice can be made from."""

    code = "poor_audio_quality"


class FileTooLarge(PipelineError):
    """More bytes than allowed."""

    code = "file_too_large"


class WeightsUnavailable(PipelineError):
    """A file of weights that can be had from none of its sources."""

    code = "weights_unavailable"


class WeightsCorrupt(PipelineError):
    """A file of weights that is not what it should be."""

    code = "weights_corrupt"


class MissingExtra(PipelineError):
    """A feature whose optional packages are not installed."""

    code = "service_unavailable"

    def __init__(self, extra: str, feature: str) -> None:
        super().__init__(f"{feature} is not installed", f"pip install 'autovoice[{extra}]'")
