"""What layers remember of a stream, so that a part of it comes out as in one piece.

A "same" convolution needs samples on both sides. Those on the left are what its input ended with when the last
part was committed: kept here. Those on the right are the look-ahead: the part is computed further than it is
committed, and as much again as the look-ahead is computed anew with the next part. Where the look-ahead covers
all that the layers reach, the result is that of one call on the whole; where it does not, the end of the part
sounds as the end of a recording would.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


class Beginning:
    """Nothing was before: layers see zeros there, as at the beginning of a recording."""

    def before(self, x: Tensor, left: int, rate: int) -> Tensor:
        """(n, channels, time) with `left` zeros before it."""
        return functional.pad(x, (left, 0))


class History:
    """Remembers the end of each layer's input, in the order in which the layers ask.

    Args:
        held: (n, size) all that was kept at the last commit.
        commit: how many frames of this part are final; what comes after them will be computed again.
    """

    def __init__(self, held: Tensor, commit: int) -> None:
        self._held = held
        self._commit = commit
        self._at = 0
        self._next: list[Tensor] = []

    def before(self, x: Tensor, left: int, rate: int) -> Tensor:
        """(n, channels, time) with the `left` samples before it; `rate` is samples of it per frame."""
        if not left:
            return x
        count, channels = x.shape[0], x.shape[1]
        size = channels * left
        past = self._held[:, self._at : self._at + size].view(count, channels, left)
        self._at += size
        joined = torch.cat((past, x), -1)
        end = self._commit * rate
        self._next.append(joined[..., end : end + left].reshape(count, size))
        return joined

    def kept(self) -> Tensor:
        """(n, size) to hold for the next part, once every layer has asked."""
        return torch.cat(self._next, 1)


class _Sizes:
    """Counts how much a network remembers."""

    def __init__(self) -> None:
        self.size = 0

    def before(self, x: Tensor, left: int, rate: int) -> Tensor:
        self.size += x.shape[1] * left
        return functional.pad(x, (left, 0))


Past = Beginning | History | _Sizes


def history_size(run: Callable[[Past], object]) -> int:
    """How many numbers a network keeps per stream: `run` calls it once with the past that it is given."""
    sizes = _Sizes()
    run(sizes)
    return sizes.size
