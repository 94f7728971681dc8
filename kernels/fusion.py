"""Whether kernels that are fused with Triton can be used for a tensor."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from torch import Tensor

logger = logging.getLogger(__name__)

_allowed: ContextVar[bool] = ContextVar("_allowed", default=True)


def available(x: Tensor) -> bool:
    """Whether `x` is where fused kernels run: on a CUDA device, with Triton installed."""
    return x.is_cuda and _allowed.get() and _installed()


@cache
def _installed() -> bool:
    try:
        import triton  # noqa: F401
    except ImportError:
        logger.warning("Triton is not installed: the GPU launches small kernels one by one")
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
