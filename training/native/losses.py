"""How wrong rendered shapes are, and how lifeless."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.content import HEARD

View = Callable[[Tensor], Tensor]


def distance(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference of shapes (batch, frames, BANDS) in nats of power.

    Each frame's own level is left out: the singer's stays.
    """
    heard = weight[..., :HEARD]
    share = heard / heard.sum(-1, keepdim=True).clamp(min=1e-3)
    off = found - wanted
    off = off - (off[..., :HEARD] * share).sum(-1, keepdim=True)
    return (weight * off.abs()).sum() / weight.sum()


def flat(shapes: Tensor, loud: Tensor) -> Tensor:
    """Shapes (batch, frames, BANDS) of loud frames (batch, frames, 1) over the bands HEARD, level left out."""
    heard = shapes[..., :HEARD]
    return (heard - heard.mean(-1, keepdim=True)) * loud


def dynamics(found: Tensor, wanted: Tensor, loud: Tensor) -> Tensor:
    """How much less, or more, lively shapes (batch, frames, BANDS) are than they should be, in nats.

    Compared are, band by band over the `loud` (batch, frames) frames of an example, the spread of the shapes
    ("global variance", Toda, Black and Tokuda, 2007), of their changes over 10 and 30 ms, and of their
    curvature over frequency. Least error alone makes spectra flat, and that is heard before any error is.
    """
    a, b = flat(found, loud.unsqueeze(-1)), flat(wanted, loud.unsqueeze(-1))
    views = _views(loud)
    total = torch.zeros(())
    for view, mask in views:
        enough = (mask.sum(1) > 20).to(found.dtype)
        share = (mask / mask.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)
        spread = [0.5 * torch.log((share * view(x) ** 2).sum(1) + 1e-3) for x in (a, b)]
        off = (spread[0] - spread[1]).abs().mean(-1)
        total = total + (off * enough).sum() / enough.sum().clamp(min=1)
    return total / len(views)


def _views(loud: Tensor) -> list[tuple[View, Tensor]]:
    """What `dynamics` looks at, each with the frames (batch, frames) in which it counts."""

    def deviation(x: Tensor) -> Tensor:
        share = loud / loud.sum(1, keepdim=True).clamp(min=1)
        return x - (x * share.unsqueeze(-1)).sum(1, keepdim=True)

    def change_10_ms(x: Tensor) -> Tensor:
        return x[:, 1:] - x[:, :-1]

    def change_30_ms(x: Tensor) -> Tensor:
        return x[:, 3:] - x[:, :-3]

    def curvature(x: Tensor) -> Tensor:
        return x[..., 2:] - 2 * x[..., 1:-1] + x[..., :-2]

    return [
        (deviation, loud),
        (change_10_ms, loud[:, 1:] * loud[:, :-1]),
        (change_30_ms, loud[:, 3:] * loud[:, :-3]),
        (curvature, loud),
    ]
