"""The network of `native` as an ONNX file: one frame of many streams, their memory going in and out.

For who runs it elsewhere, in TensorRT say. Nothing in the file is hidden: what a stream remembers is a tensor
that one step gives and the next takes, all zeros at the beginning.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.content import Block, Blocks, encoder_inputs
from pipeline.converters.native.network import Bank, NativeNet, decoder_inputs, pitch_features
from pipeline.errors import PipelineError
from pipeline.timbre import BANDS
from pipeline.voice import BANK_FRAMES

FRAME = ("shape", "average", "level", "f0_hz", "target_f0_hz")
BANK = ("keys", "values", "shapes", "bias", "voice")
OPSET = 18
CLOSE = 1e-4  # how far the file may be from torch
TRACED_ROWS = 8  # that it is made with; it takes any number


class ExportFailed(PipelineError):
    """A network could not be written, or does not do what it should."""

    code = "export_failed"


class FrameStep(nn.Module):
    """One frame (10 ms) of n streams.

    Inputs, float32: `shape` and `average` (n, BANDS), `level` and `f0_hz` (n,) as `encoder_inputs` takes them;
    `target_f0_hz` (n,), as it is sung anew; a target for each as `NativeNet.enrol` makes it (`Bank`: keys,
    values, shapes, bias, voice); and what each block remembers, (n, past, width), the oldest first.

    Outputs: shapes (n, BANDS) of the targets, and what the blocks remember now.
    """

    def __init__(self, net: NativeNet) -> None:
        super().__init__()
        self.net = net

    def memory(self, rows: int) -> list[Tensor]:
        """What `rows` streams remember that have heard nothing."""
        return [torch.zeros(rows, block.past, block.conv.in_channels) for block in self._blocks()]

    def _blocks(self) -> list[Block]:
        bodies = (self.net.encoder.body, self.net.decoder.body)
        return [block for body in bodies for block in body.blocks if isinstance(block, Block)]

    def forward(
        self,
        shape: Tensor,
        average: Tensor,
        level: Tensor,
        f0_hz: Tensor,
        target_f0_hz: Tensor,
        keys: Tensor,
        values: Tensor,
        shapes: Tensor,
        bias: Tensor,
        voice: Tensor,
        *memory: Tensor,
    ) -> tuple[Tensor, ...]:
        """See the class."""
        net, kept = self.net, list[Tensor]()
        past = iter(memory)
        bank = Bank(keys, values, shapes, bias, voice)
        heard = net.encoder.first(encoder_inputs(shape, level, f0_hz, average))
        content = net.encoder.finish(_step(net.encoder.body, heard, past, kept))
        pitch = pitch_features(target_f0_hz)
        read, mean = (x.squeeze(1) for x in net.reader(content.unsqueeze(1), pitch.unsqueeze(1), bank))
        said = net.decoder.first(decoder_inputs(content, level, pitch, read, mean, voice))
        out = net.decoder.finish(_step(net.decoder.body, said, past, kept), mean)
        return (out, *kept)


def _step(blocks: Blocks, x: Tensor, memory: Iterator[Tensor], kept: list[Tensor]) -> Tensor:
    """One frame (n, width); what each block remembers comes from `memory`, what it does now goes to `kept`."""
    for block, past in zip(blocks.blocks, memory, strict=False):
        assert isinstance(block, Block)
        held = torch.cat((past, block.norm(x).unsqueeze(1)), 1)
        kept.append(held[:, 1:])
        taps = held[:, :: block.dilation].flatten(1)
        made = functional.linear(taps, block.conv.weight.transpose(1, 2).flatten(1), block.conv.bias)
        x = x + block.out(functional.silu(made))
    return x


def example(step: FrameStep, rows: int, seed: int) -> dict[str, Tensor]:
    """Inputs of a step by name, as random as their ranges allow; nothing is remembered yet."""
    size, random = step.net.size, torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Tensor:
        return torch.randn(rows, *shape, generator=random)

    frames = BANK_FRAMES
    bank = step.net.enrol(
        some(frames, size.content), some(frames, BANDS), 200 + 20 * some(frames), some(frames).abs()
    )
    f0_hz = (220 + 40 * some()) * (some() > 0)
    inputs = {
        "shape": some(BANDS),
        "average": some(BANDS),
        "level": some(),
        "f0_hz": f0_hz,
        "target_f0_hz": 1.3 * f0_hz,
    }
    inputs |= {name: getattr(bank, name).contiguous() for name in BANK}
    return inputs | {f"memory_{i}": past for i, past in enumerate(step.memory(rows))}


def export(net: NativeNet, file: Path) -> None:
    """Write the file.

    Args:
        net: what was trained.
        file: ends in .onnx.

    Raises:
        ExportFailed: the packages that write it are not installed.
        OSError: it cannot be written.
    """
    if missing := [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]:
        raise ExportFailed(
            f"{missing[0]} is not installed", "install the extra `export`: pip install '.[export]'"
        )
    step = FrameStep(net).eval()
    inputs = example(step, TRACED_ROWS, 1)
    outputs = ["rendered", *(name.replace("memory", "kept") for name in inputs if name.startswith("memory"))]
    rows = torch.export.Dim("rows", min=1)
    shapes: list[Any] = [{0: rows}] * (len(FRAME) + len(BANK))
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        torch.onnx.export(
            step,
            tuple(inputs.values()),
            file,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=(*shapes, tuple({0: rows} for _ in step.memory(0))),
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


def difference(net: NativeNet, file: Path, rows: int = 3, frames: int = 50) -> float:
    """How far the file is from torch: the largest difference of what both render, frame after frame.

    The file goes on a frame at a time with what it remembers; torch has all frames at once.

    Raises:
        ExportFailed: the file is none that can be run.
    """
    from pipeline import onnx

    step = FrameStep(net).eval()
    given = example(step, rows, 2)
    line = [example(step, rows, 100 + i) for i in range(frames)]
    whole = {name: torch.stack([one[name] for one in line], 1) for name in FRAME}
    with torch.inference_mode():
        content = net.encode(whole["shape"], whole["level"], whole["f0_hz"], whole["average"])
        bank = Bank(*(given[name] for name in BANK))
        wanted = net.render(content, whole["level"], whole["target_f0_hz"], bank)
    try:
        session = onnx.open_session(file)
        feed: dict[str, Any] = {name: tensor.numpy() for name, tensor in given.items()}
        worst = 0.0
        for i in range(frames):
            feed |= {name: line[i][name].numpy() for name in FRAME}
            rendered, *kept = session.run(None, feed)
            feed |= {f"memory_{k}": past for k, past in enumerate(kept)}
            worst = max(worst, float(abs(rendered - wanted[:, i].numpy()).max()))
    except onnx.REFUSED as problem:
        raise ExportFailed(f"ONNX Runtime refuses {file.name}: {problem}") from problem
    return worst
