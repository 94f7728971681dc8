"""Whether an error means that there was no memory: libraries have their own words for it."""

from __future__ import annotations

# torch on CPUs and on cards, ONNX Runtime and others in C++, OpenBLAS
WORDS = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc", "bad allocation")


def ran_out(problem: BaseException) -> bool:
    """Whether what was asked for needed more memory than there is."""
    if isinstance(problem, MemoryError):
        return True
    return isinstance(problem, RuntimeError) and any(words in str(problem).lower() for words in WORDS)
