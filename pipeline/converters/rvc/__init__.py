"""RVC voices: what a checkpoint is, and how it sings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.converters.rvc.timing import LIVE, Timing

if TYPE_CHECKING:
    from pipeline.converters.rvc.converter import Rvc


def make_rvc(
    models_dir: Path | None,
    timing: Timing = LIVE,
    device: str = "cpu",
    *,
    precise: bool = False,
    graphs: bool = True,
    spare: bool = False,
    slowest: float = 0.0,
) -> Rvc:
    """The converter, whose content encoder is read from the models folder when the first voice is prepared.

    Args:
        models_dir: where ContentVec is; without, no voice can be prepared.
        timing: how streams are cut.
        device: where the networks run.
        precise: compute in float32 on a GPU, too.
        graphs: replay recorded CUDA graphs there.
        spare: go on, on the CPU, when the GPU is lost or full.
        slowest: share of a block's time that a step may take on a CPU; 0 lets it take any.
    """
    import torch

    from pipeline import content_vec
    from pipeline.converters.rvc.converter import Rvc
    from pipeline.errors import WeightsUnavailable

    def content(where: torch.device, dtype: torch.dtype) -> content_vec.ContentVec:
        if models_dir is None:
            raise WeightsUnavailable("no models folder was named, and RVC voices need ContentVec of it")
        return content_vec.ContentVec.load(content_vec.find(models_dir), where, dtype)

    dtype = torch.float32 if precise or device == "cpu" else torch.bfloat16
    return Rvc(content, timing, device, dtype, graphs=graphs, spare=spare and device != "cpu", slowest=slowest)
