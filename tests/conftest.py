"""What all tests share: where real recordings are, when there are any."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline import weights
from pipeline.errors import WeightsUnavailable

# kernels are compiled when first called: no test fails for taking its time
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """No test changes what the tests behind it log."""
    root, names = logging.getLogger(), logging.root.manager.loggerDict
    before, level = root.handlers[:], root.level
    levels = {name: logger.level for name, logger in names.copy().items() if isinstance(logger, logging.Logger)}
    yield
    opened = set(root.handlers).difference(before)
    root.handlers[:] = before
    for handler in opened:
        handler.close()
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings (speech/, singing/, …), or a skip with the reason."""
    folder = Path(os.environ.get("AUTOVOICE_TEST_AUDIO", ROOT.parent / "shared" / "audio"))
    if not folder.is_dir():
        pytest.skip(f"no recordings: {folder} is not there (set AUTOVOICE_TEST_AUDIO)")
    return folder


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The folder with the required weights, fetched if need be, or a skip with the reason."""
    folder = Path.home() / ".local" / "share" / "autovoice" / "models"
    try:
        for name in weights.REQUIRED:
            weights.fetch(name, folder)
    except WeightsUnavailable as problem:
        pytest.skip(str(problem))
    return folder
