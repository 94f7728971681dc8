"""What tests of RVC voices share: small networks with random weights, and a cheap content encoder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.converters.rvc.architecture import FEATURES, Architecture, Version
from pipeline.converters.rvc.converter import Rvc
from pipeline.converters.rvc.synthesiser import Synthesiser
from pipeline.converters.rvc.timing import LIVE, Timing
from pipeline.converters.rvc.voice import RvcSettings, RvcVoice

RATES = {32_000: (10, 8, 2, 2), 40_000: (10, 10, 2, 2), 48_000: (12, 10, 2, 2)}
KERNELS = {32_000: (20, 16, 4, 4), 40_000: (16, 16, 4, 4), 48_000: (24, 20, 4, 4)}


class Bands:
    """A content encoder: the logarithm of what each of some random filters lets through."""

    projected = 256

    def __init__(self) -> None:
        made = torch.Generator().manual_seed(1)
        self._weights = {v: torch.randn(width, 1, 400, generator=made) for v, width in FEATURES.items()}

    def encode(self, audio: Tensor, version: Version) -> Tensor:
        """(n, samples) at 16 kHz -> (n, frames, width)."""
        heard = functional.conv1d(audio[:, None], self._weights[version].to(audio.device), stride=320)
        return torch.log1p(heard.abs()).transpose(1, 2)


def architecture(
    sample_rate: int = 48_000, version: Version = "v2", pitched: bool = True, **other: Any
) -> Architecture:
    """A network of the real form, small."""
    sizes: dict[str, Any] = {"inter": 16, "hidden": 16, "filter": 32, "heads": 2, "layers": 2, "kernel": 3}
    sizes |= {"res_kernels": (3,), "res_dilations": ((1, 3),), "width": 16}
    sizes |= {"speakers": 3, "speaker_width": 8} | other
    return Architecture(
        version=version,
        pitched=pitched,
        rates=RATES[sample_rate],
        up_kernels=KERNELS[sample_rate],
        sample_rate=sample_rate,
        **sizes,
    )


def synthesiser(seed: int = 0, size: Architecture | None = None) -> Synthesiser:
    """A network with random weights that gives sound of some loudness."""
    random = torch.Generator().manual_seed(seed)
    made = Synthesiser(size or architecture())
    with torch.no_grad():
        for parameter in made.parameters():
            inputs = math.prod(parameter.shape[1:]) or 1
            spread = 1.0 / math.sqrt(inputs) if parameter.dim() > 1 else 0.1
            parameter.copy_(torch.randn(parameter.shape, generator=random) * spread)
        for part in made.modules():
            if hasattr(part, "gamma"):
                part.gamma.fill_(1.0)
    return made.eval().requires_grad_(False)


def voice(seed: int = 0, size: Architecture | None = None, **settings: Any) -> RvcVoice:
    """A voice that sings nonsense."""
    return RvcVoice(f"rvc-{seed}", f"Random {seed}", synthesiser(seed, size), None, RvcSettings(**settings))


def converter(timing: Timing = LIVE, **options: Any) -> Rvc:
    """`rvc` with the content encoder of these tests, which is there already."""
    made = Rvc(lambda device, dtype: Bands(), timing, **options)
    made.prepare(voice())
    return made


def fixtures() -> list[Path]:
    """Checkpoints with what the reference implementation makes of them, or a skip."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "fixtures" / "rvc"
    found = sorted(folder.glob("*.pth"))
    if not found:
        pytest.skip(f"no RVC checkpoints in {folder.name}/: they are not part of the repository")
    return found
