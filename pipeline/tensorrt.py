"""TensorRT engines from ONNX files, where TensorRT is installed and a card of NVIDIA's is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pipeline.errors import PipelineError


class EngineUnavailable(PipelineError):
    """An engine cannot be built here."""

    code = "engine_unavailable"


def build_engine(source: Path, target: Path, most_rows: int, half: bool = True) -> None:
    """Build an engine for the card of this machine; it runs on no other kind.

    Args:
        source: an ONNX file whose inputs all have the same first dimension, which is free.
        target: written whole or not at all.
        most_rows: the largest that this dimension may be; the engine is fastest there.
        half: let it compute in half precision.

    Raises:
        EngineUnavailable: TensorRT or a card is missing, or TensorRT refuses the file.
        OSError: the engine cannot be written.
    """
    if importlib.util.find_spec("tensorrt") is None:
        raise EngineUnavailable(
            "TensorRT is not installed", "pip install tensorrt, on a machine with a card of NVIDIA's"
        )
    import tensorrt as trt
    import torch

    if not torch.cuda.is_available():
        raise EngineUnavailable(
            "no card of NVIDIA's is there", "build the engine on the machine that will run it"
        )
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(source.read_bytes()):
        raise EngineUnavailable(f"TensorRT refuses {source.name}: {parser.get_error(0).desc()}")
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    if half:
        config.set_flag(trt.BuilderFlag.FP16)
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        rest = tuple(tensor.shape)[1:]
        profile.set_shape(tensor.name, (1, *rest), (most_rows, *rest), (most_rows, *rest))
    config.add_optimization_profile(profile)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise EngineUnavailable(f"TensorRT built no engine of {source.name}", "see what it said above")
    aside = target.with_name(f".{target.name}.part")
    aside.write_bytes(bytes(built))
    aside.replace(target)
