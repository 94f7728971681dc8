"""Where networks run."""

from __future__ import annotations

import os
from functools import cache

from auto_voice.settings import Settings, SettingsError


@cache
def gpu_available() -> bool:
    """Whether torch sees a CUDA device that computes in bfloat16."""
    import torch

    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def cores() -> int:
    """Cores that this process may use; quotas of containers are not seen."""
    allowed = getattr(os, "sched_getaffinity", None)
    return min(len(allowed(0)) if allowed else os.cpu_count() or 1, 64)


def device_of(settings: Settings) -> str:
    """The device that the settings ask for: "cpu" or "cuda".

    Raises:
        SettingsError: a GPU is asked for where there is none.
    """
    wanted = settings.live.device
    if wanted == "auto":
        return "cuda" if gpu_available() else "cpu"
    if wanted == "cuda" and not gpu_available():
        raise SettingsError(
            "live.device is cuda, but torch finds no CUDA device with bfloat16", "set it to auto or cpu"
        )
    return wanted
