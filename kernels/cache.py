"""Where compiled loops are kept between runs.

Numba recompiles a function when its own file changes, but not when a function that it inlines does. All our
compiled code therefore shares one cache folder named after the content of all files that hold any.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import numba


def fingerprint(root: Path) -> str:
    """Hash of every source file under the rooms that hold compiled loops, and of the Python that runs them."""
    digest = hashlib.sha256(sys.version.encode())
    for room in ("kernels", "pipeline"):
        for file in sorted((root / room).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def place() -> None:
    """Point numba's cache and Triton's at `$XDG_CACHE_HOME/autovoice`, unless their variables name a place."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autovoice"
    os.environ.setdefault("TRITON_CACHE_DIR", str(base / "triton"))  # its files are named by their content
    if "NUMBA_CACHE_DIR" not in os.environ:
        vars(numba.config)["CACHE_DIR"] = str(base / f"kernels-{fingerprint(Path(__file__).parent.parent)}")
