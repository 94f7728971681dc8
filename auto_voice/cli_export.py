"""`autovoice export`: the network of `native` for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def export_network(
    output: Annotated[Path, typer.Option("-o", "--output", help="the file to write, .onnx")] = Path(
        "native.onnx"
    ),
    tensorrt: Annotated[
        bool, typer.Option("--tensorrt", help="also build a TensorRT engine beside it, where there is TensorRT")
    ] = False,
    rows: Annotated[int, typer.Option(min=1, max=1024, help="most streams of the engine")] = 32,
) -> None:
    """Write the network of `native` as ONNX, and show that it does what torch does."""
    from pipeline.converters.native.export import CLOSE, ExportFailed, difference, export
    from pipeline.converters.native.weights import load_weights
    from pipeline.tensorrt import build_engine

    if output.suffix != ".onnx":
        raise ExportFailed(f"{output.name} does not end in .onnx", "name the file so")
    console, net = Console(), load_weights().net
    export(net, output)
    apart = difference(net, output)
    if apart > CLOSE:
        output.unlink()
        raise ExportFailed(
            f"the file is {apart:.1e} from what torch computes", "tell us which versions you use"
        )
    megabytes = output.stat().st_size / 1e6
    console.print(f"{output}: {megabytes:.1f} MB, within {apart:.1e} of torch", highlight=False, markup=False)
    if tensorrt:
        engine = output.with_suffix(".engine")
        build_engine(output, engine, rows)
        console.print(
            f"{engine}: {engine.stat().st_size / 1e6:.1f} MB, for 1 to {rows} streams", highlight=False
        )
