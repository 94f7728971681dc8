"""What all tests share: where real recordings are, when there are any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings (speech/, singing/, …), or a skip with the reason."""
    folder = Path(os.environ.get("AUTOVOICE_TEST_AUDIO", ROOT.parent / "shared" / "audio"))
    if not folder.is_dir():
        pytest.skip(f"no recordings: {folder} is not there (set AUTOVOICE_TEST_AUDIO)")
    return folder
