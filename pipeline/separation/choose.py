"""From the name of a separation model to one that can run here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline import weights
from pipeline.errors import MissingExtra, WeightsUnavailable
from pipeline.separation.base import Separator
from pipeline.separation.demucs_package import load_package
from pipeline.separation.htdemucs import HTDemucs
from pipeline.separation.spleeter import Spleeter
from pipeline.weights.download import Progress, download

log = logging.getLogger(__name__)

# the member of each published bag that estimates the vocals, and the beginning of its sha256
DEMUCS = {"htdemucs": "955717e8", "htdemucs_ft": "04573f0d"}
CHECKSUMS = {"955717e8": "8726e21a", "04573f0d": "f3cf25b2"}
DEMUCS_URL = "https://dl.fbaipublicfiles.com/demucs/hybrid_transformer/"
MODELS = ("spleeter", *DEMUCS)


@dataclass(frozen=True)
class Choice:
    """A separator, and what to tell when it is not the one that was asked for."""

    separator: Separator
    identity: str  # of the model, its weights and its settings: the same identity gives the same stems
    note: str | None = None


def choose_separator(
    name: str, models_dir: Path, *, shifts: int = 1, device: torch.device | None = None
) -> Choice:
    """The model of that name, or `spleeter` with a note where its weights or its package are missing.

    Raises:
        KeyError: no model of that name.
        WeightsUnavailable: not even `spleeter` can be had.
        WeightsCorrupt: a file of weights that is not what it should be.
    """
    if name not in MODELS:
        raise KeyError(name)
    note = None
    if name in DEMUCS:
        try:
            path = find_demucs(DEMUCS[name], models_dir)
            separator = HTDemucs(name, load_package(path), shifts=shifts, device=device)
            return Choice(separator, f"{name} {path.stem} shifts={shifts}")
        except (WeightsUnavailable, MissingExtra) as problem:
            note = f"{name} cannot be used ({problem.message}): spleeter is used instead"
            log.warning(note)
    index, data = (weights.fetch(part, models_dir) for part in ("spleeter-index", "spleeter-data"))
    return Choice(
        Spleeter(index, data, device=device), f"spleeter {weights.FILES['spleeter-data'].sha256[:12]}", note
    )


def fetch_demucs(name: str, models_dir: Path, progress: Progress = lambda done, total: None) -> Path:
    """The weights of a Demucs model, from its authors if they are not here yet.

    Raises:
        KeyError: no model of that name.
        WeightsUnavailable: they cannot be downloaded.
        WeightsCorrupt: what came is something else.
    """
    signature = DEMUCS[name]
    try:
        return find_demucs(signature, models_dir)
    except WeightsUnavailable:
        file = f"{signature}-{CHECKSUMS[signature]}.th"
        return download(DEMUCS_URL + file, models_dir / "demucs" / file, CHECKSUMS[signature], progress)


def find_demucs(signature: str, models_dir: Path) -> Path:
    """The file of a Demucs model in `models_dir` or its folder `demucs`.

    Raises:
        WeightsUnavailable: there is none.
    """
    for folder in (models_dir, models_dir / "demucs"):
        for pattern in (f"{signature}-????????.th", f"{signature}.safetensors"):
            for path in sorted(folder.glob(pattern)):
                return path
    raise WeightsUnavailable(
        f"its weights {signature}-….th are not in the models folder",
        f"run: autovoice weights {next(name for name, known in DEMUCS.items() if known == signature)}",
    )
