"""What is particular to `native`: the stream is the trained network, and voices are read as they should be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.content import StreamedBlocks
from pipeline.converters.base import ControlRows, Controls
from pipeline.converters.native import Native
from pipeline.converters.native.enrol import bank_of_averages, hear, make_bank, steady
from pipeline.converters.native.network import NativeNet, parameters, pitch_features
from pipeline.converters.native.voices import NativeVoices
from pipeline.converters.native.weights import FILE, load_weights
from pipeline.converters.stream import convert_recording
from pipeline.synthetic import rest, sing, vibrato
from pipeline.timbre import BANDS
from pipeline.voice import BANK_FRAMES, Voice
from pipeline.voice_file import load_voice, save_voice

RATE = 48_000


def line(seed: int = 1, hz: float = 200.0) -> np.ndarray:
    pitches = np.concatenate(
        [rest(0.1, RATE), vibrato(hz, 1.0, RATE), rest(0.2, RATE), vibrato(hz * 1.2, 0.6, RATE)]
    )
    return sing(pitches, RATE, np.random.default_rng(seed), snr_db=40).astype(np.float32)


def test_it_is_as_small_as_promised() -> None:
    assert parameters(load_weights().net) <= 10_000_000
    assert FILE.stat().st_size <= 30_000_000
    assert Native().delay <= 0.030 * RATE


def test_streamed_blocks_are_the_trained_blocks() -> None:
    torch.manual_seed(0)
    net = NativeNet()
    streamed = StreamedBlocks(net.encoder.body)
    frames = torch.randn(2, 70, net.size.width)
    with torch.inference_mode():
        expected = net.encoder.body(frames)
        past, at = streamed.open(3), [0, 0]
        got = torch.zeros_like(expected)
        for turn in range(105):  # the second row pauses every third turn
            rows = [r for r in (0, 1) if at[r] < 70 and (r == 0 or turn % 3)]
            if rows:
                x = torch.stack([frames[r, at[r]] for r in rows])
                out = streamed.step(x, past, np.array([2 * r for r in rows]))
                for r, y in zip(rows, out, strict=True):
                    got[r, at[r]] = y
                    at[r] += 1
    assert at == [70, 70]
    assert (got - expected).abs().max() < 1e-4


def test_attention_over_a_row_is_the_trained_attention(bruno: Voice) -> None:
    net = load_weights().net
    voices = NativeVoices(3, net.size, net.reader)
    voices.set(1, bruno)
    bank = bruno.bank
    assert bank is not None
    content = torch.nn.functional.layer_norm(torch.randn(4, net.size.content), (net.size.content,))
    pitch = pitch_features(torch.tensor([0.0, 110.0, 220.0, 500.0]))
    with torch.inference_mode():
        tensors = [torch.from_numpy(a)[None] for a in (bank.content, bank.shapes, bank.f0_hz, bank.weight)]
        read = net.reader.bank(
            tensors[0], tensors[1], pitch_features(tensors[2]), tensors[3], torch.from_numpy(bank.summary)[None]
        )
        values, shapes = net.reader(content[None], pitch[None], read)
        got_values, got_shapes = voices.read(np.array([1, 1, 1, 1]), net.reader.queries(content, pitch))
    assert (got_values - values[0]).abs().max() < 1e-3
    assert (got_shapes - shapes[0]).abs().max() < 1e-3


def test_the_offline_network_asks_for_what_the_stream_asks_for(bruno: Voice) -> None:
    """Frames heard by `hear` are those of a session."""
    audio = line()
    heard = hear(audio)
    native = Native()
    state, rows, controls = native.open(1), native.voice_rows(1), ControlRows(1)
    controls.set(0, Controls(gate_db=-100.0))
    rows.set(0, bruno)
    active = torch.ones(1, dtype=torch.bool)
    for n in range(len(audio) // 480):
        native.step(state, torch.from_numpy(audio[None, n * 480 : (n + 1) * 480]), rows, controls, active)
        assert np.allclose(state.frames.shape[0], heard.shape[n], atol=1e-5)
        assert np.isclose(state.frames.f0[0], heard.f0_hz[n])
        assert np.isclose(state.frames.level[0], heard.level[n], atol=1e-5)
    assert (heard.f0_hz > 0).mean() > 0.6


def test_noise_is_averaged_as_in_a_stream() -> None:
    rng = np.random.default_rng(3)
    audio = (0.05 * rng.standard_normal(RATE)).astype(np.float32)
    heard = hear(audio)
    averaged = steady(heard)
    assert averaged[20:].std(0).mean() < 0.9 * heard.shape[20:].std(0).mean()


def test_a_bank_holds_the_loud_frames() -> None:
    audio = np.concatenate([line(s, h) for s, h in ((1, 180), (2, 210), (3, 240), (4, 200), (5, 190))])
    bank = make_bank(hear(audio))
    assert bank.shapes.shape == (BANK_FRAMES, BANDS)
    assert (bank.weight > 0).sum() == BANK_FRAMES
    assert (bank.f0_hz > 0).mean() > 0.5
    assert np.isfinite(bank.content).all()
    assert ((bank.scale >= 1) & (bank.scale <= 2)).all()


def test_too_little_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match="s of sound"):
        make_bank(hear(np.zeros(RATE, np.float32) + 1e-6))


def test_an_old_profile_is_upgraded_on_load(bruno: Voice, tmp_path: Path) -> None:
    old = tmp_path / "old.safetensors"
    save_voice(old, replace(bruno, bank=None, frames=None))
    voice = load_voice(old)
    assert voice.bank is not None
    assert voice.bank.network == load_weights().fingerprint
    assert 0 < (voice.bank.weight > 0).sum() <= 64
    audio = line()
    controls = Controls(auto_pitch=False)
    upgraded = convert_recording(Native(), audio, voice, controls)
    own = convert_recording(Native(), audio, None, controls)
    assert np.sqrt(np.mean((upgraded - own) ** 2)) > 0.1 * np.sqrt(np.mean(own**2))


def test_a_bank_of_another_network_is_made_anew_from_the_frames(bruno: Voice, tmp_path: Path) -> None:
    heard = hear(np.concatenate([line(s) for s in range(4)]))
    bank = make_bank(heard)
    file = tmp_path / "voice.safetensors"
    save_voice(
        file, replace(bruno, bank=replace(bank, network="another", content=bank.content * 0), frames=heard)
    )
    again = load_voice(file).bank
    assert again is not None
    assert again.network == bank.network
    assert np.abs(again.content - bank.content).max() < 0.2  # frames are kept in half precision
    assert np.abs(again.shapes - bank.shapes).max() < 0.05


def test_averages_alone_make_a_bank(bruno: Voice) -> None:
    bank = bank_of_averages(bruno.timbre, bruno.median_f0_hz)
    used = bank.weight > 0
    assert used.sum() == len(bruno.timbre.classes) + 1
    assert np.isfinite(bank.content[used]).all()


def test_a_voice_that_cannot_be_read_is_refused(bruno: Voice) -> None:
    with pytest.raises(ValueError, match="no frames"):
        Native().voice_rows(1).set(0, replace(bruno, bank=None))


def test_changing_the_voice_makes_no_click(bruno: Voice, aria: Voice) -> None:
    audio = sing(vibrato(196.0, 2.0, RATE, depth_cents=0), RATE, np.random.default_rng(1), breath_db=-80)
    native = Native()
    state, rows, controls = native.open(1), native.voice_rows(1), ControlRows(1)
    controls.set(0, Controls(auto_pitch=False))
    rows.set(0, bruno)
    active = torch.ones(1, dtype=torch.bool)
    out = []
    for n in range(len(audio) // 480):
        if n == 100:
            rows.set(0, aria)
        block = torch.from_numpy(audio[None, n * 480 : (n + 1) * 480].astype(np.float32))
        out.append(native.step(state, block, rows, controls, active)[0].numpy().copy())
    jerk = np.abs(np.diff(np.concatenate(out).astype(float), 3))
    switch = 100 * 480
    assert jerk[switch - 480 : switch + 2880].max() < 2.0 * np.percentile(jerk[RATE // 2 :], 99.9)
