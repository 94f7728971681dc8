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

from kernels.conv_input import conv_input


class Beginning:
    """Nothing was before: layers see zeros there, as at the beginning of a recording."""

    def around(self, x: Tensor, left: int, right: int, rate: int, slope: float = 1.0) -> Tensor:
        """(n, channels, time), through a leaky ReLU where its slope is not 1, with zeros on both sides."""
        return functional.pad(x if slope == 1.0 else functional.leaky_relu(x, slope), (left, right))


class History:
    """Remembers the end of each layer's input, in the order in which the layers ask.

    Args:
        held: (n, size) all that was kept at the last commit.
        commit: how many frames of this part are final; what comes after them will be computed again.
    """

    def __init__(self, held: Tensor, commit: int) -> None:
        self._held = held
        self._kept = torch.empty_like(held)
        self._commit = commit
        self._at = 0

    def around(self, x: Tensor, left: int, right: int, rate: int, slope: float = 1.0) -> Tensor:
        """The same with the `left` samples before it, as the layer saw them; `rate` samples are a frame."""
        at = self._at
        self._at += x.shape[1] * left
        end = self._commit * rate
        return conv_input(x, slope, left, right, self._held, self._kept, at, end)

    def kept(self) -> Tensor:
        """(n, size) to hold for the next part, once every layer has asked."""
        assert self._at == self._held.shape[1]
        return self._kept


class _Sizes:
    """Counts how much a network remembers."""

    def __init__(self) -> None:
        self.size = 0

    def around(self, x: Tensor, left: int, right: int, rate: int, slope: float = 1.0) -> Tensor:
        self.size += x.shape[1] * left
        return functional.pad(x, (left, right))


Past = Beginning | History | _Sizes


def history_size(run: Callable[[Past], object]) -> int:
    """How many numbers a network keeps per stream: `run` calls it once with the past that it is given."""
    sizes = _Sizes()
    run(sizes)
    return sizes.size
