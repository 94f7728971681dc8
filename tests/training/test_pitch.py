"""How the live pitch tracker learns."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import io
from pipeline.pitch.live import HOP, LOOKAHEAD, see
from pipeline.pitch.network import likely, make_network, open_past
from pipeline.pitch.views import LOWEST_HZ, PITCHES, STEPS, VALUES
from pipeline.synthetic import glide, rest, sing
from training.pitch import accompaniment, train
from training.pitch.material import Sources, stage
from training.pitch.net import PitchNet

RATE = 48_000


def test_the_compiled_network_is_the_trained_one() -> None:
    torch.manual_seed(1)
    net = PitchNet()
    seen = np.random.default_rng(1).standard_normal((60, VALUES + 1)).astype(np.float32)
    with torch.no_grad():
        wanted = net(torch.from_numpy(seen)[None])[0].numpy()
    network, past, out = make_network(net.exported()), open_past(1)[0], np.zeros(PITCHES + 1, np.float32)
    for hop, row in enumerate(seen):
        likely(network, past, hop, row[:VALUES], float(row[VALUES]), out)
        assert np.allclose(out, wanted[hop], atol=1e-5)


def test_the_truth_is_a_hill_at_the_pitch_and_unknown_hops_do_not_count() -> None:
    hz = torch.tensor([0.0, LOWEST_HZ * 2 ** (30.5 / STEPS), -1.0])
    truth, weight = train.wanted(hz)
    assert truth[0, PITCHES] == 1
    assert truth[1, 30] == pytest.approx(float(truth[1, 31]), rel=1e-4)
    assert truth[1].sum() == pytest.approx(1)
    assert weight.tolist() == [1, 1, 0]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sung line of known pitch, and noise for music."""
    folder = tmp_path_factory.mktemp("pitch")
    (folder / "sung").mkdir()
    (folder / "music").mkdir()
    line = np.concatenate([rest(0.2, RATE), glide(150, 300, 2.0, RATE), rest(0.3, RATE)])
    audio = sing(line, RATE, np.random.default_rng(1))
    io.encode(folder / "sung" / "one.flac", audio, RATE)
    np.save(folder / "sung" / "one.f0.npy", line[::HOP])
    noise = np.random.default_rng(2).standard_normal(RATE).astype(np.float32) * np.float32(0.1)
    io.encode(folder / "music" / "one.flac", noise, RATE)
    return folder


def test_each_hop_is_given_the_pitch_of_the_instant_that_it_answers_for(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.pitch.material.SUNG_RATE", RATE)
    monkeypatch.setattr("training.pitch.material.SHARES", (0.0, 1.0, 0.0))
    rng = np.random.default_rng(4)
    sources = Sources(folders / "nobody", folders / "sung", folders / "music", folders, rng)
    scene, truth = stage(sources, rng)
    at = (np.arange(len(truth)) + 1) * HOP - LOOKAHEAD
    line = np.concatenate([rest(0.2, RATE), glide(150, 300, 2.0, RATE), rest(0.3, RATE)])
    wanted = np.where(at >= 0, line[np.clip(at, 0, len(line) - 1)], 0)
    both = (truth > 0) & (wanted > 0)
    assert len(scene) == len(truth) * HOP
    assert both.sum() > 380
    assert np.abs(1200 * np.log2(truth[both] / wanted[both])).max() < 5


def test_it_learns_and_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = make_network(PitchNet().exported())
    for shard in range(2):
        line = np.concatenate([glide(120, 500, 2.0, RATE), rest(0.5, RATE), glide(500, 90, 2.0, RATE)])
        audio = sing(line, RATE, np.random.default_rng(shard))
        at = (np.arange(len(audio) // HOP) + 1) * HOP - LOOKAHEAD
        np.savez(
            tmp_path / f"{shard}.npz", views=see(audio, blind).astype(np.float16), pitch=line[np.maximum(at, 0)]
        )

    def run(steps: int, *more: str) -> None:
        files = ("--material", str(tmp_path), "--checkpoint", str(tmp_path / "net.pt"))
        monkeypatch.setattr(sys, "argv", ["train", *files, "--steps", str(steps), "--batch", "4", *more])
        train.main()

    material = train.Material(tmp_path, 1)
    held = material.batch(8, held=True)
    before = train.loss_of(PitchNet()(held[0]), held[1]).item()
    run(20)
    run(40, "--export", str(tmp_path / "live.safetensors"))
    stored = torch.load(tmp_path / "net.pt", weights_only=True)
    assert stored["step"] == 40
    net = PitchNet()
    net.load_state_dict(stored["net"])
    assert train.loss_of(net(held[0]), held[1]).item() < 0.8 * before
    assert (tmp_path / "live.safetensors").stat().st_size < 100_000


def test_music_is_composed(tmp_path: Path) -> None:
    import mido

    accompaniment.compose(tmp_path / "a.mid", np.random.default_rng(1))
    accompaniment.compose(tmp_path / "b.mid", np.random.default_rng(2))
    assert (tmp_path / "a.mid").read_bytes() != (tmp_path / "b.mid").read_bytes()
    piece = mido.MidiFile(tmp_path / "a.mid")
    assert 30 < piece.length < 100
    notes = [m for m in piece if m.type == "note_on"]
    assert {m.channel for m in notes} == {0, 1, 2, 9}
