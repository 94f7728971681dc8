"""What RVC voices cost: a full-size v2 model at 48 kHz with random weights, and a full-size content encoder.

On the CPU: the real-time factor of each stage of a live step, of the whole step, and of a song. On a GPU
(`--device cuda`): step times at 40 ms for more and more streams, launched kernel by kernel, as recorded graphs
and as graphs with fused kernels, against the floor that the counted operations and bytes allow.
Random weights cost what trained ones do; what comes out is noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench.report import Report, parser
from bench.untrained import full_size_content, full_size_voice
from kernels import fusion
from pipeline.content_vec import ContentVec
from pipeline.converters.base import ControlRows, Controls
from pipeline.converters.rvc.converter import Rvc
from pipeline.converters.rvc.rates import Decimator, Interpolator
from pipeline.converters.rvc.shaping import coarse_pitch
from pipeline.converters.rvc.singing import decoder_memory
from pipeline.converters.rvc.synthesiser import Synthesiser
from pipeline.converters.rvc.timing import WHOLE, Timing
from pipeline.converters.rvc.voice import RvcVoice
from pipeline.vocoder.history import History

COUNTS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 80, 96, 128)
LIMIT_MS = 40.0
# how a step is launched on a GPU: recorded as a graph, and with kernels of our own for what many small ones do
WAYS = (("eager", False, False), ("graph", True, False), ("fused", True, True))
# dense peak without sparsity, and memory bandwidth, as NVIDIA's data sheets give them
CARDS = {"H200": (989e12, 4.8e12), "H100": (989e12, 3.35e12), "A100": (312e12, 2.0e12)}


def timed(call: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds of each call, after two that are not counted."""
    for _ in range(2):
        call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - began))
    return times


@dataclass
class Stages:
    """The parts of one live step, each by itself."""

    content: ContentVec
    network: Synthesiser
    timing: Timing

    def calls(self) -> dict[str, Callable[[], object]]:
        """Name -> one row's work."""
        t, net, size = self.timing, self.network, self.network.architecture
        sound = torch.randn(1, 2 * Decimator.SIDE + t.block) * 0.1
        audio = torch.randn(1, t.heard) * 0.1
        f0 = torch.full((1, t.context), 220.0)
        phone = torch.randn(1, t.context, size.features)
        noise = torch.randn(1, size.inter, t.flowing)
        latent = torch.randn(1, size.inter, t.computed)
        samples = torch.randn(1, t.computed * size.hop)
        speaker = net.speaker(torch.tensor([0]))
        held = torch.zeros(1, decoder_memory(net))
        down, up = Decimator(), Interpolator(size.sample_rate)
        mean, log_std = net.enc_p(phone, coarse_pitch(f0))
        source, _ = net.dec.m_source(f0[:, -t.computed :], samples, torch.zeros(1), size.hop, size.sample_rate)

        def decode() -> Tensor:
            past = History(held, t.stride)
            made: Tensor = net.dec(latent, speaker, source, past)
            return made + past.kept().sum()

        return {
            "resampling": lambda: (down(sound), up(samples, t.block)),
            "content": lambda: self.content.encode(audio, "v2"),
            "prior": lambda: net.enc_p(phone, coarse_pitch(f0)),
            "flow": lambda: net.drawn(mean[..., -t.flowing :], log_std[..., -t.flowing :], noise, speaker),
            "source": lambda: net.dec.m_source(
                f0[:, -t.computed :], samples, torch.zeros(1), size.hop, size.sample_rate
            ),
            "decoder": decode,
        }


class Streams:
    """Some rows that sing one voice, stepped as the engine would."""

    def __init__(self, converter: Rvc, voice: RvcVoice, count: int) -> None:
        converter.prepare(voice)
        self._converter, self._state = converter, converter.open(count)
        self._voices, self._controls = converter.voice_rows(count), ControlRows(count)
        for row in range(count):
            self._voices.set(row, voice)
            self._controls.set(row, Controls())
        at = np.arange(converter.block) / 48_000
        self._audio = torch.from_numpy((0.2 * np.sin(2 * np.pi * 220 * at)).astype(np.float32)).repeat(count, 1)
        self._active = torch.ones(count, dtype=torch.bool)

    def step(self) -> None:
        """Convert one block of every row."""
        self._converter.step(self._state, self._audio, self._voices, self._controls, self._active)


def on_cpu(report: Report, arguments: argparse.Namespace) -> None:
    """Real-time factors."""
    torch.set_num_threads(arguments.threads)
    n = arguments.repeats
    content, voice = full_size_content(), full_size_voice()
    for stride in (4, 16):
        timing = Timing(stride=stride)
        with torch.inference_mode():
            for name, call in Stages(content, voice.synthesiser, timing).calls().items():
                took = timed(call, n)
                report.add(f"{name}_rtf_{10 * stride}ms", float(np.median(took)) / (10 * stride), "x", n=n)
        step = timed(Streams(Rvc(lambda *_: content, timing), voice, 1).step, n)
        report.percentiles(f"step_{10 * stride}ms", step, "ms")
        report.add(f"live_rtf_{10 * stride}ms", float(np.median(step)) / (10 * stride), "x", n=n)
    song = timed(Streams(Rvc(lambda *_: content, WHOLE), voice, 1).step, 1)
    report.add("song_rtf", float(np.median(song)) / (10 * WHOLE.stride), "x", n=1)


def floor_ms(content: ContentVec, network: Synthesiser, timing: Timing, count: int, card: str) -> float | None:
    """The least time of a step: its operations at the card's peak, or its weights and state read once."""
    known = next((figures for name, figures in CARDS.items() if name in card), None)
    if known is None:
        return None
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        for call in Stages(content, network, timing).calls().values():
            call()
    flops = counter.get_total_flops() * count
    weights = sum(p.numel() for p in network.parameters()) + 95e6
    state = 2 * count * (decoder_memory(network) + timing.context * network.architecture.features)
    return float(1000 * max(flops / known[0], 2 * (weights + state) / known[1]))


def on_gpu(report: Report, arguments: argparse.Namespace) -> None:
    """Step times by number of streams; stops where a step no longer fits."""
    card = torch.cuda.get_device_name(arguments.device)
    report.machine += f", {card}"
    device, timing = torch.device(arguments.device), Timing()
    cpu = full_size_content()
    voice = full_size_voice()
    for count in (1, 64):
        floor = floor_ms(cpu, voice.synthesiser, timing, count, card)
        report.add(f"floor_{count}_ms", floor, "ms")
    content = full_size_content(device, torch.bfloat16)
    for way, graphs, kernels in WAYS:
        holds, best = 0, way == WAYS[-1][0]
        with nullcontext() if kernels else fusion.unfused():
            for count in COUNTS:
                converter = Rvc(lambda *_: content, timing, arguments.device, torch.bfloat16, graphs=graphs)
                took = timed(Streams(converter, voice, count).step, arguments.repeats)
                p99 = float(np.percentile(took, 99))
                report.percentiles(f"{way}_{count}_streams", took, "ms")
                if best and count == 1:
                    report.add("one_stream_p50_ms", float(np.median(took)), "ms", "<= 5", len(took))
                if p99 >= LIMIT_MS:
                    break
                holds = count
        report.add("streams" if best else f"streams_{way}", holds, "", ">= 64" if best else "")


def main() -> None:
    """Run the benchmark."""
    arguments = parser(__doc__)
    arguments.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    arguments.add_argument("--threads", type=int, default=1, help="of the CPU; the engine uses one")
    arguments.add_argument(
        "--repeats", type=int, default=0, help="timed steps of each kind; 20 on a CPU, 500 on a GPU"
    )
    given = arguments.parse_args()
    report = Report("rvc")
    given.repeats = given.repeats or (20 if given.device == "cpu" else 500)
    if given.device == "cpu":
        on_cpu(report, given)
    elif torch.cuda.is_available():
        on_gpu(report, given)
    else:
        arguments.error("no CUDA device is here; --device cpu measures the processor")
    report.finish(given.json)


if __name__ == "__main__":
    main()
