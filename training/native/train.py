"""Train the network of `native`; interrupted, it goes on where the last checkpoint was.

    python -m training.native.train --features DIR --renditions DIR --checkpoint FILE [--start FILE] [options]

The first stage learns by distance alone, the second from its result with the critic and `dynamics`.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.converters.native.network import NativeNet, parameters, pitch_features
from training.native.critic import Critic, critic_loss, matching
from training.native.dataset import CHUNK, CHUNKS, WARM, Batch, Material, Sampler
from training.native.losses import distance, dynamics, flat

WARM_UP = 200  # steps in which the learning rate rises
KEEP = 0.998  # of the running average of the weights, per step
REPORT, SAVE = 100, 500  # steps between reports and between checkpoints


def known_content(net: NativeNet, known: dict[str, Tensor]) -> Tensor:
    """Content of the chunks of the target's voice, each on its own."""
    batch = known["shape"].shape[0]
    apart = {n: t.reshape(batch * CHUNKS, CHUNK, *t.shape[2:]) for n, t in known.items()}
    content = net.encode(apart["shape"], apart["level"], apart["f0_hz"], apart["average"])
    return content.reshape(batch, CHUNKS * CHUNK, -1)


def predict(net: NativeNet, batch: Batch) -> tuple[Tensor, Tensor]:
    """Rendered shapes (batch, frames, BANDS) and voices (batch, voice). Keys of targets are not learnt from."""
    s, k = batch.source, batch.known
    content = net.encode(s["shape"], s["level"], s["f0_hz"], s["average"])
    with torch.no_grad():
        target = known_content(net, k)
    bank = net.enrol(target, k["shape"], k["f0_hz"], batch.known_weight)
    return net.render(content, s["level"], batch.target_f0_hz, bank), bank.voice


class Trainer:
    """The network, its running average, its critic, and their optimisers.

    Args:
        options: the command line's.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.net = NativeNet()
        self.critic = Critic(self.net.size.voice)
        self.step = 0
        if options.start and not options.checkpoint.exists():
            self.net.load_state_dict(torch.load(options.start, weights_only=True)["average"])
        self.average = copy.deepcopy(self.net)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), options.rate, (0.9, 0.98), weight_decay=0.01)
        self.critics = torch.optim.AdamW(self.critic.parameters(), 4e-4, (0.5, 0.9))
        if options.checkpoint.exists():
            stored = torch.load(options.checkpoint, weights_only=True)
            for name, part in self._parts().items():
                part.load_state_dict(stored[name])
            self.step = stored["step"]

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {
            "net": self.net,
            "average": self.average,
            "critic": self.critic,
            "optimiser": self.optimiser,
            "critics": self.critics,
        }

    def save(self, prior: Tensor) -> None:
        """Write a checkpoint whole or not at all."""
        part = self.options.checkpoint.with_suffix(".part")
        state = {name: part_.state_dict() for name, part_ in self._parts().items()}
        torch.save({**state, "step": self.step, "prior": prior}, part)
        part.replace(self.options.checkpoint)

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step; returns the losses."""
        o = self.options
        progress = min(self.step / o.steps, 1.0)
        rate = o.rate * min(1.0, (self.step + 1) / WARM_UP) * (0.02 + 0.49 * (1 + math.cos(math.pi * progress)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            found, voice = predict(self.net, batch)
        found = found.float()
        loss = distance(found, batch.target_shape, batch.weight)
        told = {"distance": float(loss.detach())}
        if o.critic:
            loss = loss + o.critic * self._criticise(found, voice.detach().float(), batch)
        if o.dynamics:
            loud = (batch.weight[:, WARM:, 0] > 0.3).float()
            lively = dynamics(found[:, WARM:], batch.target_shape[:, WARM:], loud)
            told["dynamics"] = float(lively.detach())
            loss = loss + o.dynamics * lively
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.net.parameters(), strict=True):
                slow.lerp_(fast, 1 - KEEP)
        return told

    def _criticise(self, found: Tensor, voice: Tensor, batch: Batch) -> Tensor:
        """Train the critic on a batch, and hear what it says of what was found."""
        loud = batch.weight[:, WARM:, :1]
        octaves = pitch_features(batch.target_f0_hz)[:, WARM:, 1]
        real, made = flat(batch.target_shape[:, WARM:], loud), flat(found[:, WARM:], loud)
        self.critics.zero_grad(set_to_none=True)
        scores = self.critic(real, octaves, voice)[0], self.critic(made.detach(), octaves, voice)[0]
        critic_loss(*scores).backward()  # type: ignore[no-untyped-call]
        self.critics.step()
        score, features = self.critic(made, octaves, voice)
        with torch.no_grad():
            _, wanted = self.critic(real, octaves, voice)
        matched: Tensor = 2.0 * matching(wanted, features) - score.mean()
        return matched

    def test(self, batch: Batch) -> float:
        """Distance of the averaged network on voices that it was not trained on."""
        with torch.no_grad():
            return float(distance(predict(self.average, batch)[0], batch.target_shape, batch.weight))


def main() -> None:
    """Train, report, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--renditions", type=Path, nargs="+", required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="checkpoint to start from, if there is none to resume")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--critic", type=float, default=0.0, help="weight of the critic")
    parser.add_argument("--dynamics", type=float, default=0.0, help="weight of the dynamics")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    trainer = Trainer(options)
    material = Material(options.features, options.renditions)
    unseen = Material(options.features, options.renditions, dev=True)
    unseen.prior = material.prior
    print(
        f"{parameters(trainer.net)} parameters; {material.describe()}; unseen: {unseen.describe()}", flush=True
    )
    sampler = Sampler(material, seed=trainer.step + 1)
    held = Sampler(unseen, seed=7, real=0.0).batch(24)
    began, told = time.monotonic(), []
    while trainer.step < options.steps:
        told.append(trainer.learn(sampler.batch(options.batch)))
        if trainer.step % REPORT == 0:
            means = " ".join(f"{k} {sum(t[k] for t in told) / len(told):.4f}" for k in told[0])
            told.clear()
            spent = time.monotonic() - began
            print(f"{trainer.step} {means} unseen {trainer.test(held):.4f} {spent:.0f} s", flush=True)
        if trainer.step % SAVE == 0 or trainer.step == options.steps:
            trainer.save(torch.from_numpy(material.prior))


if __name__ == "__main__":
    main()
