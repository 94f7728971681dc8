from pathlib import Path

import pytest

from pipeline import weights
from pipeline.errors import WeightsUnavailable


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
