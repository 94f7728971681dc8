"""The converters, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.converters.base import Converter
from pipeline.converters.classic import Classic
from pipeline.converters.native import Native
from pipeline.converters.passthrough import PassThrough
from pipeline.converters.rvc import make_rvc
from pipeline.converters.rvc.timing import LIVE, Timing

DEFAULT = "native"  # what converts unless something else is asked for


def available(
    threads: int = 1,
    device: str = "cpu",
    *,
    precise: bool = False,
    graphs: bool = True,
    spare: bool = False,
    models_dir: Path | None = None,
    timing: Timing = LIVE,
    slowest: float = 0.0,
) -> dict[str, Callable[[int], Converter]]:
    """Every converter that can run here: name -> factory taking the block in samples.

    Args:
        threads: how many share the rows of a step.
        device: where networks run, as torch names it: "cpu", "cuda", "cuda:1".
        precise: compute in float32 on a GPU, too.
        graphs: replay recorded CUDA graphs there.
        spare: go on, on the CPU, when the GPU is lost or full.
        models_dir: where ContentVec is, which "rvc" needs; without, its voices cannot be prepared.
        timing: how "rvc" cuts streams, which takes its block from that.
        slowest: share of a block's time that a step of "rvc" may take on a CPU; 0 lets it take any.
    """
    return {
        "native": lambda block: Native(
            block, threads=threads, device=device, precise=precise, graphs=graphs, spare=spare
        ),
        "classic": lambda block: Classic(block, threads=threads),
        "passthrough": lambda block: PassThrough(block=block),
        "rvc": lambda block: make_rvc(
            models_dir, timing, device, precise=precise, graphs=graphs, spare=spare, slowest=slowest
        ),
    }
