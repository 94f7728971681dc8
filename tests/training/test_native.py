"""The recipe of `native`, on a handful of synthetic recordings."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.voice import SOURCES, TARGETS
from pipeline.synthetic import rest, sing, vibrato
from pipeline.timbre import BANDS
from training.native.dataset import WINDOW, Material, Sampler
from training.native.extract import listen
from training.native.frames import Disguise, random_disguise, relative_level
from training.native.losses import distance, dynamics
from training.native.train import Trainer
from training.native.voices import RESERVED, training_recordings

RATE = 48_000


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of two sentences in three timbres each, and of two real voices."""
    folder = tmp_path_factory.mktemp("native")
    (folder / "renditions").mkdir()
    (folder / "features").mkdir()

    def keep(name: str, seed: int, vowel: str) -> None:
        rng = np.random.default_rng(seed)
        line = np.concatenate([rest(0.1, RATE), vibrato(180 + 20 * (seed % 3), 2.0, RATE), rest(0.2, RATE)])
        power, f0 = listen(sing(line, RATE, rng, vowel=vowel).astype(np.float32))
        np.savez(
            folder / "features" / f"{name}.npz",
            P=power.astype(np.float16),
            K=(f0 > 0).astype(np.int8),
            F=f0,
            rate=24_000,
        )

    for n in range(2):
        timbres = [["af_bella", "af_bella", 0.0], ["am_adam", "bf_alice", 0.4], ["af_nova", "af_sky", 0.0]]
        (folder / "renditions" / f"{n:05d}.json").write_text(json.dumps({"timbres": timbres}))
        for k, vowel in enumerate("aiu"):
            keep(f"renditions_{n:05d}-{k}", 10 * n, vowel)
    keep("real_vctk-p900_001", 3, "e")
    keep("real_vctk-p901_001", 4, "a")
    return folder


def test_nobody_is_trained_on_who_is_reported_on(tmp_path: Path) -> None:
    assert set(SOURCES) | set(TARGETS) <= RESERVED
    for place in ("more_speakers/libritts/1089", "more_speakers/vctk/p225", "speech/libritts", "speech/vctk"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "p228_001.flac").touch()
    assert [name for name, _ in training_recordings(tmp_path)] == [
        "real_vctk-p225_p228_001",
        "real_vctk-p228_p228_001",
    ]


def test_what_is_heard_is_what_was_sung() -> None:
    audio = sing(vibrato(220.0, 1.0, RATE, depth_cents=0), RATE, np.random.default_rng(1))
    power, f0 = listen(audio.astype(np.float32))
    assert power.shape == (len(f0), BANDS)
    assert np.median(f0[f0 > 0]) == pytest.approx(220, rel=0.01)


def test_batches_are_aligned_and_whole(work: Path) -> None:
    material = Material(work / "features", [work / "renditions"])
    assert len(material.aligned) == 2
    assert len(material.real) == 2
    batch = Sampler(material, seed=1).batch(6)
    assert batch.target_shape.shape == (6, WINDOW, BANDS)
    for tensor in (*batch.source.values(), *batch.known.values(), batch.weight, batch.known_weight):
        assert torch.isfinite(tensor).all()
    assert (batch.known_weight.sum(1) > 0).all()
    again = Sampler(material, seed=1).batch(6)
    assert torch.equal(again.target_shape, batch.target_shape)


def test_a_disguise_moves_formants_up_and_nothing_changes_nothing() -> None:
    power = np.full((3, BANDS), -8.0, np.float32)
    power[:, 20] = 0
    assert np.array_equal(Disguise()(power), power)
    assert Disguise(warp=45)(power)[0].argmax() > 20
    drawn = random_disguise(np.random.default_rng(1), warp=0.2, equaliser=1.0, noise=1.0, blur=1.0)
    assert np.isfinite(drawn(power, np.ones(3, bool), 0.0)).all()


def test_levels_are_measured_against_the_loudest_of_late() -> None:
    power = np.repeat(np.array([-6.0, -2.0, -6.0], np.float32), 100)[:, None].repeat(BANDS, 1)
    level = relative_level(power)
    assert level[150] == pytest.approx(0, abs=1e-3)
    assert -0.4 < level[250] < -0.3


def test_losses_know_level_error_and_flatness() -> None:
    torch.manual_seed(1)
    wanted = torch.randn(2, 50, BANDS)
    weight, loud = torch.ones(2, 50, BANDS), torch.ones(2, 50)
    assert distance(wanted + 3.0, wanted, weight) < 1e-5
    assert distance(wanted + torch.randn_like(wanted), wanted, weight) > 0.3
    assert dynamics(wanted + 3.0, wanted, loud) < 1e-5
    assert dynamics(0.5 * wanted, wanted, loud) == pytest.approx(np.log(2), abs=0.01)


def test_training_goes_on_where_it_was(work: Path, tmp_path: Path) -> None:
    material = Material(work / "features", [work / "renditions"])
    options = Namespace(checkpoint=tmp_path / "c.pt", start=None, steps=4, rate=1e-3, critic=0.1, dynamics=0.1)
    sampler = Sampler(material, seed=2)
    trainer = Trainer(options)
    told = [trainer.learn(sampler.batch(2)) for _ in range(2)]
    assert all(np.isfinite(list(t.values())).all() for t in told)
    trainer.save(torch.from_numpy(material.prior))
    resumed = Trainer(options)
    assert resumed.step == 2
    for a, b in zip(trainer.net.parameters(), resumed.net.parameters(), strict=True):
        assert torch.equal(a, b)
    resumed.learn(sampler.batch(2))
    started = Trainer(
        Namespace(**{**vars(options), "checkpoint": tmp_path / "d.pt", "start": tmp_path / "c.pt"})
    )
    assert started.step == 0
