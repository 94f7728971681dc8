"""Whether kernels that are fused with Triton can be used for a tensor."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

_allowed: ContextVar[bool] = ContextVar("_allowed", default=True)


def available(x: Tensor) -> bool:
    """Whether `x` is where fused kernels run: on a CUDA device for which Triton can compile."""
    return x.is_cuda and _allowed.get() and _compiles(x.device)


@cache
def _compiles(device: torch.device) -> bool:
    """Try one: Triton is there with every torch for CUDA, but needs a C compiler and Python's headers."""
    try:
        from kernels.triton_conv_input import launch

        held = torch.zeros(1, 2, device=device)
        launch(torch.ones(1, 1, 3, device=device), 0.1, 2, 1, held, torch.empty_like(held), 0, 3)
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as problem:
        logger.warning("Triton compiles nothing here: the GPU launches small kernels one by one (%s)", problem)
        return False
    return True


@contextmanager
def unfused() -> Iterator[None]:
    """Without fused kernels, to compare with; graphs that were recorded before stay as they are."""
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)
