"""From how salient each pitch is, a frame at a time, to one pitch: what RMVPE and FCPE have in common.

The pitch is the mean of the bins around the most salient one, weighted by their salience (Kim et al., "CREPE",
2018).
"""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 4  # bins on each side of the most salient that take part


def decode(salience: Tensor, cents: Tensor, threshold: float, *, edges_again: bool = False) -> Tensor:
    """One pitch for each frame.

    Args:
        salience: (…, bins) of each pitch, 0..1.
        cents: (bins,) pitch of each bin above 10 Hz.
        threshold: frames whose most salient bin does not exceed it are unvoiced.
        edges_again: beyond the ends of the range the bin at the end counts again, as in FCPE.

    Returns:
        (…,) Hz, 0 unvoiced.
    """
    most, centre = salience.max(-1)
    places = centre.unsqueeze(-1) + torch.arange(-REACH, REACH + 1, device=salience.device)
    inside = places.clamp(0, salience.shape[-1] - 1)
    weights = salience.gather(-1, inside)
    if not edges_again:
        weights = weights * (places == inside)
    mean = (weights * cents[inside]).sum(-1) / weights.sum(-1).clamp(min=torch.finfo(weights.dtype).tiny)
    return torch.where(most > threshold, 10.0 * torch.exp2(mean / 1200.0), 0.0)
