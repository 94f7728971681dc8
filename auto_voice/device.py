"""Where networks run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from auto_voice.settings import Settings, SettingsError
from pipeline.converters.base import Converter


@cache
def gpu_available(device_id: int = 0) -> bool:
    """Whether torch sees that CUDA device, and it computes in bfloat16."""
    import torch

    if not torch.cuda.is_available() or device_id >= torch.cuda.device_count():
        return False
    with torch.cuda.device(device_id):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


@cache
def _gpus() -> int:
    """How many torch sees; asking takes longer than the rest of a health check."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpu_figures(device: str) -> dict[str, int | float | bool]:
    """What torch knows of the GPUs here; the memory, in GB, is what this process takes of `device`."""
    count = _gpus()
    figures: dict[str, int | float | bool] = {"available": count > 0, "device_count": count}
    if device != "cpu":
        import torch

        figures["memory_allocated_gb"] = round(torch.cuda.memory_allocated(device) / 2**30, 3)
        figures["memory_reserved_gb"] = round(torch.cuda.memory_reserved(device) / 2**30, 3)
    return figures


def cores() -> int:
    """Cores that this process may use; quotas of containers are not seen."""
    allowed = getattr(os, "sched_getaffinity", None)
    return min(len(allowed(0)) if allowed else os.cpu_count() or 1, 64)


@dataclass(frozen=True)
class Device:
    """What networks run on, as torch names it, and what is wrong with that, if something is."""

    name: str
    trouble: str | None = None


def choose_device(settings: Settings) -> Device:
    """The device that the settings ask for, or the CPU where they allow that.

    Raises:
        SettingsError: a GPU is asked for where there is none, and nothing else will do.
    """
    gpu = settings.gpu
    if gpu.device != "cpu" and gpu_available(gpu.device_id):
        return Device(f"cuda:{gpu.device_id}")
    if gpu.device != "cuda":
        return Device("cpu")
    trouble = f"gpu.device is cuda, but torch finds no CUDA device {gpu.device_id} with bfloat16"
    if not gpu.allow_fallback:
        raise SettingsError(trouble, "set it to auto or cpu, or allow gpu.allow_fallback")
    return Device("cpu", f"{trouble}: running on the CPU")


def converters(settings: Settings, threads: int | None = None) -> dict[str, Callable[[int], Converter]]:
    """Every converter, made as the settings want it.

    Args:
        settings: the whole configuration.
        threads: that share the rows of a step, where not those of the settings.

    Raises:
        SettingsError: as `choose_device`.
    """
    from pipeline.converters import available
    from pipeline.converters.rvc.timing import Timing

    gpu, rvc, device = settings.gpu, settings.live.rvc, choose_device(settings).name
    if device != "cpu":
        import torch

        torch.cuda.set_per_process_memory_fraction(gpu.memory_fraction, device)
    return available(
        threads or settings.live.threads or cores(),
        device,
        precise=not gpu.mixed_precision,
        graphs=gpu.cuda_graphs,
        spare=gpu.allow_fallback,
        models_dir=settings.storage.models_dir,
        timing=Timing(rvc.block_ms // 10, rvc.ahead_ms // 10, rvc.context_ms // 10, rvc.context_ms // 10),
        slowest=rvc.slowest,
    )
