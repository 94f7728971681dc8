"""Where networks run."""

from __future__ import annotations

from functools import cache

from auto_voice.settings import Settings, SettingsError


@cache
def gpu_available() -> bool:
    """Whether torch sees a CUDA device."""
    import torch

    return torch.cuda.is_available()


def device_of(settings: Settings) -> str:
    """The device that the settings ask for: "cpu" or "cuda".

    Raises:
        SettingsError: a GPU is asked for where there is none.
    """
    wanted = settings.live.device
    if wanted == "auto":
        return "cuda" if gpu_available() else "cpu"
    if wanted == "cuda" and not gpu_available():
        raise SettingsError("live.device is cuda, but torch finds no CUDA device", "set it to auto or cpu")
    return wanted
