"""Where and how the streams of a batch are computed."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pipeline.converters.rvc.timing import Timing


@dataclass(frozen=True)
class Batch:
    """Streams that are computed together."""

    rows: int  # how many there are
    timing: Timing  # how they are cut
    device: torch.device  # where all of it is
    dtype: torch.dtype  # in what the networks compute
    graphs: bool  # record CUDA graphs there
