"""Train the network of the live pitch tracker; interrupted, it goes on where the last checkpoint was.

python -m training.pitch.train --material DIR --checkpoint FILE [--export FILE] [options]
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor

from pipeline.pitch.live import LOOK
from pipeline.pitch.views import LOWEST_HZ, PITCHES, STEPS
from training.pitch.net import PitchNet

WINDOW, WARM = 160, 30  # looks in an example, and the first of them that only warm the network up
BLUR = 0.6  # steps of pitch by which the truth is blurred
WARM_UP = 100  # steps in which the learning rate rises
REPORT, SAVE = 50, 200

Float = NDArray[np.float32]


class Material:
    """Views and pitches of all scenes, the last shard held back."""

    def __init__(self, folder: Path, seed: int) -> None:
        shards = [np.load(file) for file in sorted(folder.glob("*.npz"))]
        self._seen = [shard["views"] for shard in shards]
        self._pitch = [shard["pitch"] for shard in shards]
        self._rng = np.random.default_rng(seed)

    def batch(self, size: int, held: bool = False) -> tuple[Tensor, Tensor]:
        """Views (size, WINDOW, …) and pitch in Hz (size, WINDOW), 0 none, negative unknown."""
        last = len(self._seen) - 1
        seen, pitch = [], []
        for _ in range(size):
            shard = last if held else int(self._rng.integers(last))
            start = int(self._rng.integers(len(self._pitch[shard]) - WINDOW * LOOK))
            looks = slice(start, start + WINDOW * LOOK, LOOK)
            seen.append(self._seen[shard][looks])
            pitch.append(self._pitch[shard][looks])
        return torch.from_numpy(np.stack(seen)).float(), torch.from_numpy(np.stack(pitch))


def wanted(f0_hz: Tensor) -> tuple[Tensor, Tensor]:
    """Pitches (…,) in Hz to the truth (…, PITCHES + 1), and the weight (…,) of each hop."""
    place = STEPS * torch.log2(f0_hz.clamp(min=1.0) / LOWEST_HZ)
    hill = torch.exp(-0.5 * ((torch.arange(PITCHES) - place.unsqueeze(-1)) / BLUR) ** 2)
    voiced = (f0_hz > 0).unsqueeze(-1)
    truth = torch.cat((torch.where(voiced, hill, 0.0), (~voiced).float()), -1)
    return truth / truth.sum(-1, keepdim=True).clamp(min=1e-3), (f0_hz >= 0).float()


def loss_of(found: Tensor, f0_hz: Tensor) -> Tensor:
    """Cross entropy of log probabilities (batch, hops, PITCHES + 1) after the warm-up."""
    truth, weight = wanted(f0_hz)
    weight[:, :WARM] = 0
    each = -(truth * found).sum(-1)
    return (each * weight).sum() / weight.sum().clamp(min=1)


def errors_of(found: Tensor, f0_hz: Tensor) -> tuple[float, float, float]:
    """Shares of voiced hops further than 60 cents off and an octave off, and of hops of the wrong voicing."""
    found, f0_hz = found[:, WARM:], f0_hz[:, WARM:]
    voiced = f0_hz > 0
    best = found[..., :PITCHES].argmax(-1)
    cents = (1200 / STEPS * best - 1200 * torch.log2(f0_hz.clamp(min=1) / LOWEST_HZ))[voiced].abs()
    decided = found[..., PITCHES] < math.log(0.5)
    known = f0_hz >= 0
    wrong = (decided != voiced)[known].float().mean()
    return float((cents > 60).float().mean()), float(((cents - 1200).abs() < 100).float().mean()), float(wrong)


def main() -> None:
    """Train, report, save, export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--material", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--export", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    net, step = PitchNet(), 0
    optimiser = torch.optim.AdamW(net.parameters(), options.rate, (0.9, 0.98), weight_decay=0.01)
    if options.checkpoint.exists():
        stored = torch.load(options.checkpoint, weights_only=True)
        net.load_state_dict(stored["net"])
        optimiser.load_state_dict(stored["optimiser"])
        step = stored["step"]
    material = Material(options.material, step + 1)
    held = material.batch(48, held=True)
    began, losses = time.monotonic(), []
    while step < options.steps:
        progress = step / options.steps
        rate = (
            options.rate * min(1.0, (step + 1) / WARM_UP) * (0.02 + 0.49 * (1 + math.cos(math.pi * progress)))
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        seen, pitch = material.batch(options.batch)
        with torch.autocast("cpu", torch.bfloat16):
            found = net(seen)
        loss = loss_of(found.float(), pitch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        losses.append(float(loss.detach()))
        if step % REPORT == 0:
            with torch.no_grad():
                found = net(held[0])
            off, octave, wrong = errors_of(found, held[1])
            print(
                f"{step} loss {np.mean(losses):.4f} held {float(loss_of(found, held[1])):.4f} off {off:.4f} "
                f"octave {octave:.4f} voicing {wrong:.4f} {time.monotonic() - began:.0f} s",
                flush=True,
            )
            losses.clear()
        if step % SAVE == 0 or step == options.steps:
            part = options.checkpoint.with_suffix(".part")
            torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, part)
            part.replace(options.checkpoint)
    if options.export:
        save_file(net.exported(), options.export)


if __name__ == "__main__":
    main()
