"""Download a file whose name carries the beginning of its sha256; goes on where an earlier attempt stopped."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import WeightsCorrupt, WeightsUnavailable

Progress = Callable[[int, int], None]  # bytes done, bytes in all
CHUNK = 1 << 20
TIMEOUT_S = 20.0


def download(url: str, target: Path, sha256: str, progress: Progress = lambda done, total: None) -> Path:
    """Fetch `url` to `target` unless it is there; what is not yet whole lies beside it as `.part`.

    Args:
        url: http or https.
        target: appears only when it is whole and verified.
        sha256: the checksum or the beginning of it, in hexadecimal.
        progress: told about every megabyte.

    Raises:
        WeightsUnavailable: the server cannot be reached, or has no such file.
        WeightsCorrupt: what came is something else.
    """
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            if answer.status != 206:
                have = 0  # the server sends the whole file again
            total = have + int(answer.headers.get("Content-Length", 0))
            with part.open("ab" if have else "wb") as file:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    have += len(chunk)
                    progress(have, max(total, have))
            if have < total:
                raise _unavailable(url, f"the connection broke off after {have} of {total} bytes")
    except urllib.error.HTTPError as problem:
        if problem.code != 416:  # all of it is here already
            raise _unavailable(url, f"the server answers {problem.code}") from problem
    except (OSError, http.client.HTTPException) as problem:
        raise _unavailable(url, str(problem)) from problem
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if not digest.hexdigest().startswith(sha256):
        part.unlink()
        raise WeightsCorrupt(f"what came from {url} is not {target.name}", "try again")
    part.replace(target)
    return target


def _unavailable(url: str, why: str) -> WeightsUnavailable:
    return WeightsUnavailable(
        f"cannot download {url}: {why}", "check the network, or copy the file into the models folder"
    )
