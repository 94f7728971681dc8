"""What a killed server leaves half-made, found by its name and age."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

OLD_S = 3600.0


def sweep(folder: Path, *prefixes: str) -> int:
    """Remove entries of a folder whose names begin so and that are an hour old; returns how many."""
    count = 0
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        try:
            if path.name.startswith(prefixes) and time.time() - path.stat().st_mtime > OLD_S:
                shutil.rmtree(path, ignore_errors=True)
                count += 1
        except FileNotFoundError:
            continue
    return count
