from pathlib import Path

import pytest

from pipeline.voice import Voice
from pipeline.voice_file import load_voice

FOLDER = Path(__file__).resolve().parents[3] / "pipeline" / "builtin_voices"


@pytest.fixture(scope="session")
def bruno() -> Voice:
    """A low built-in voice."""
    return load_voice(FOLDER / "bruno.safetensors")


@pytest.fixture(scope="session")
def aria() -> Voice:
    """A high built-in voice."""
    return load_voice(FOLDER / "aria.safetensors")
