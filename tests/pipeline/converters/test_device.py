"""The network as it runs on a GPU, here on the CPU in single precision; and on a GPU where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kernels.replay import Replay, padded_size
from pipeline.converters.base import ControlRows, Controls
from pipeline.converters.native import Native
from pipeline.converters.native.device import DeviceEnvelopes
from pipeline.converters.native.envelopes import Envelopes
from pipeline.converters.native.spare import SparedEnvelopes
from pipeline.synthetic import sing, vibrato
from pipeline.voice import Voice
from pipeline.voice_file import load_voice

VOICES = Path(__file__).parents[3] / "pipeline" / "builtin_voices"
ROWS, STEPS = 5, 60


@pytest.fixture(scope="module")
def voices() -> dict[str, Voice]:
    return {name: load_voice(VOICES / f"{name}.safetensors") for name in ("aria", "bruno", "otto")}


def run(converter: Native, voices: dict[str, Voice]) -> torch.Tensor:
    """Rows of several voices, a blend, a row that comes late and one that is used anew: (rows, samples)."""
    state, targets, controls = converter.open(ROWS), converter.voice_rows(ROWS), ControlRows(ROWS)
    audio = torch.stack(
        [
            torch.from_numpy(sing(vibrato(150.0 + 40 * row, 0.7, 48_000), 48_000, np.random.default_rng(row)))
            for row in range(ROWS)
        ]
    )
    for row, name in enumerate(("aria", "bruno", "otto", "aria")):
        targets.set(row, voices[name])
        controls.set(row, Controls(auto_pitch=False, pitch_semitones=float(row - 2)))
    active = torch.tensor([True, True, True, False, True])
    made = []
    for step in range(STEPS):
        if step == 15:
            targets.blend(1, voices["aria"], 0.4)
        if step == 20:
            active[3] = True
        if step == 30:
            state.reset(0)
            targets.set(0, voices["bruno"])
        if step == 40:
            targets.blend(1, None, 0.0)
        block = audio[:, step * 480 : (step + 1) * 480].contiguous()
        made.append(converter.step(state, block, targets, controls, active).clone())
    return torch.cat(made, 1)


def test_the_network_on_a_device_says_what_it_says_on_the_cpu(voices: dict[str, Voice]) -> None:
    there = Native(480)
    there._envelopes = DeviceEnvelopes(there._weights.net, "cpu", torch.float32)
    here, wanted = run(there, voices), run(Native(480), voices)
    assert wanted.abs().max() > 0.05
    assert (here - wanted).abs().max() < 1e-3 * wanted.abs().max()


def test_other_targets_are_followed_and_nobody_is_no_trouble(voices: dict[str, Voice]) -> None:
    made = []
    for on_device in (False, True):
        converter = Native(480)
        if on_device:
            converter._envelopes = DeviceEnvelopes(converter._weights.net, "cpu", torch.float32)
        state, controls = converter.open(1), ControlRows(1)
        targets = [converter.voice_rows(1) for _ in range(2)]
        for target, name in zip(targets, ("aria", "bruno"), strict=True):
            target.set(0, voices[name])
        audio = torch.from_numpy(sing(vibrato(180.0, 0.6, 48_000), 48_000, np.random.default_rng(1)))[None]
        blocks = [audio[:, at : at + 480].contiguous() for at in range(0, 28_320, 480)]
        converter.step(state, blocks[0], targets[0], controls, torch.tensor([False]))
        made.append(
            torch.cat(
                [
                    converter.step(state, block, targets[i > 20], controls, torch.tensor([True])).clone()
                    for i, block in enumerate(blocks)
                ],
                1,
            )
        )
    assert (made[0] - made[1]).abs().max() < 1e-3 * made[0].abs().max()


class Failing(DeviceEnvelopes):
    """The network on a device that is lost after some steps. A GPU cannot be pulled out in a test."""

    left = 12

    def render(self, *given: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().render(*given)


def test_a_lost_device_is_followed_by_the_cpu(voices: dict[str, Voice]) -> None:
    there = Native(480, threads=2)
    net = there._weights.net
    there._envelopes = SparedEnvelopes(lambda: Failing(net, "cpu", torch.float32), Envelopes(net))
    assert there.trouble is None
    here, wanted = run(there, voices), run(Native(480), voices)
    assert there.trouble is not None
    assert "out of memory" in there.trouble
    before = 12 * 480
    assert (here - wanted)[:, :before].abs().max() < 1e-3 * wanted.abs().max(), (
        "until then nothing is different"
    )
    after = (here - wanted)[:, -8 * 480 :].pow(2).mean() / wanted.pow(2).mean()
    assert 10 * after.log10() < -20, "soon after nothing is"
    assert torch.isfinite(here).all()


def test_a_device_that_is_full_from_the_start(voices: dict[str, Voice]) -> None:
    def make() -> DeviceEnvelopes:
        raise torch.OutOfMemoryError("CUDA out of memory")

    there = Native(480)
    there._envelopes = SparedEnvelopes(make, Envelopes(there._weights.net))
    assert there.trouble is not None
    assert (run(there, voices) - run(Native(480), voices)).abs().max() < 1e-4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_card_the_spare_is_used_and_without_a_spare_it_is_an_error() -> None:
    assert Native(480, device="cuda", spare=True).trouble is not None
    with pytest.raises((RuntimeError, AssertionError)):
        Native(480, device="cuda")


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(voices: dict[str, Voice], threads: int) -> None:
    # matrices of another height are multiplied in another order
    alone, shared = run(Native(480), voices), run(Native(480, threads=threads), voices)
    assert (alone - shared).abs().max() < 1e-4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_recorded_graphs_on_a_gpu(voices: dict[str, Voice]) -> None:
    wanted = run(Native(480), voices)
    made = run(Native(480, device="cuda"), voices)
    difference = (made - wanted).pow(2).mean() / wanted.pow(2).mean()
    assert 10 * difference.log10() < -20  # bfloat16


def test_a_step_of_any_size_is_padded_to_a_power_of_two() -> None:
    assert [padded_size(n) for n in (1, 2, 3, 4, 5, 9, 256, 257)] == [1, 2, 4, 4, 8, 16, 256, 512]


def test_without_a_gpu_a_function_is_called_as_it_is() -> None:
    double = Replay(lambda rows, inputs: inputs * 2 + rows[:, None], 3, 8, torch.device("cpu"))
    assert torch.equal(double(torch.tensor([1, 2]), torch.ones(2, 3)), torch.tensor([[3.0] * 3, [4.0] * 3]))
