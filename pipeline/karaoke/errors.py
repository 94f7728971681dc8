"""What can be wrong with what a singer gives for a stage."""

from __future__ import annotations

from pipeline.errors import PipelineError


class BadLyrics(PipelineError):
    """A file of lyrics that cannot be read.

    Args:
        message: what is wrong, with the line where one is to blame.
    """

    code = "bad_lyrics"

    def __init__(self, message: str) -> None:
        super().__init__(message, "give an .lrc file with [mm:ss.xx] before each line, or an UltraStar .txt")
