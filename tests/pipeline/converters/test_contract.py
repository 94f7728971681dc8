"""The six properties that DESIGN.md asks of every converter, and what else the contract says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.converters import available
from pipeline.converters.base import ControlRows, Controls
from pipeline.converters.blend import Blend
from pipeline.converters.stream import convert_recording
from pipeline.pitch import live
from pipeline.synthetic import sing, vibrato
from pipeline.voice import Voice
from tests.stage import RATE, Stage, phrase

NAMES = sorted(available())
VOICED = ["classic", "native"]  # those that make another voice
UNGATED = Controls(auto_pitch=False, gate_db=-100.0)


@pytest.fixture(scope="session", params=[None, 0.4], ids=["alone", "blended"])
def blend(request: pytest.FixtureRequest, aria: Voice) -> Blend | None:
    """All that must hold for one voice must hold for two."""
    return None if request.param is None else Blend(aria, request.param)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"rvc"}))  # which has its own: it is slow
@settings(max_examples=12)
@given(data=st.data())
def test_block_invariance(name: str, bruno: Voice, blend: Blend | None, data: st.DataObject) -> None:
    whole = Stage(name)
    audio = phrase()
    audio = audio[: len(audio) // whole.converter.hop * whole.converter.hop]
    controls = Controls(pitch_semitones=3.0, formant_semitones=1.0, dry_wet=0.9)
    whole.set(0, controls, bruno, blend)
    expected = whole.step({0: audio})[0]
    split = Stage(name)
    split.set(0, controls, bruno, blend)
    unit = max(split.converter.hop, 37)
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=8))
    out: list[np.ndarray] = []
    at = 0
    while at < len(audio):
        size = min(unit * sizes[len(out) % len(sizes)], len(audio) - at)
        out.append(split.step({0: audio[at : at + size]})[0])
        at += size
    # the first block ramps dry/wet from full; compare after that
    assert np.abs(np.concatenate(out) - expected)[max(240, split.converter.hop) :].max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_row_isolation(name: str, bruno: Voice, aria: Voice, blend: Blend | None) -> None:
    mine, other = phrase(1), phrase(2, hz=300)
    alone = Stage(name, rows=3)
    alone.set(1, Controls(pitch_semitones=-2), bruno, blend)
    expected = alone.run(mine, row=1)
    crowd = Stage(name, rows=3)
    crowd.set(1, Controls(pitch_semitones=-2), bruno, blend)
    got = []
    size = crowd.converter.block
    for i, start in enumerate(range(0, len(expected), size)):
        block = slice(start, start + size)
        rows = {1: mine[block]}
        if i % 3:
            rows[0] = other[block]
        if i > 8:
            rows[2] = mine[block] * 0.5
        if i == 12:
            crowd.state.reset(0)
            crowd.set(0, Controls(pitch_semitones=7), bruno, None if name == "rvc" else Blend(aria, 0.8))
        if i == 30:
            crowd.voices.clear(0)
        got.append(crowd.step(rows)[1])
    # a batched matrix product rounds a little differently for each batch size
    assert np.abs(np.concatenate(got) - expected).max() < (1e-5 if name in ("native", "rvc") else 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_reset_row_is_a_new_row(name: str, bruno: Voice, blend: Blend | None) -> None:
    audio = phrase()
    fresh = Stage(name)
    fresh.set(0, Controls(), bruno, blend)
    expected = fresh.run(audio)
    used = Stage(name)
    used.set(0, Controls(), bruno, blend)
    used.run(phrase(5, hz=500))
    used.state.reset(0)
    assert np.array_equal(used.run(audio), expected)


@pytest.mark.parametrize("name", NAMES)
def test_phase_continuity(name: str, bruno: Voice, blend: Blend | None) -> None:
    """A held note has no seams: nothing at block boundaries that is not elsewhere."""
    audio = sing(vibrato(187.3, 1.5, RATE, depth_cents=0), RATE, np.random.default_rng(1), breath_db=-80)
    stage = Stage(name)
    stage.set(0, Controls(pitch_semitones=4, auto_pitch=False), bruno, blend)
    out = stage.run(audio[: len(audio) // 480 * 480])[RATE // 2 :].astype(float)
    jerk = np.abs(np.diff(out, 3))
    seams = jerk[stage.converter.block - 3 :: stage.converter.block]
    assert np.median(seams) < 2 * np.median(jerk)
    assert seams.max() <= np.percentile(jerk, 99.9) * 1.5


@pytest.mark.parametrize("name", NAMES)
def test_delay_truth(name: str) -> None:
    stage = Stage(name)
    stage.set(0, UNGATED)
    audio = np.zeros(9600, np.float32)
    audio[2011] = 0.5
    out = stage.run(audio)
    assert int(np.argmax(np.abs(out))) == 2011 + stage.converter.delay
    assert out.max() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_null_when_dry_and_when_nothing_is_asked(name: str, bruno: Voice, blend: Blend | None) -> None:
    audio = phrase()
    for controls, voice in ((Controls(dry_wet=0.0, gate_db=-100.0), bruno), (UNGATED, None)):
        stage = Stage(name)
        stage.set(0, controls, voice, None if voice is None else blend)
        out, delay = stage.run(audio), stage.converter.delay
        expected = np.concatenate([np.zeros(delay, np.float32), audio])[: len(out)]
        assert np.abs(out - expected)[stage.converter.block :].max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_silence_in_silence_out(name: str, bruno: Voice, blend: Blend | None) -> None:
    stage = Stage(name)
    stage.set(0, Controls(), bruno, blend)
    stage.run(phrase())
    tail = stage.run(np.zeros(RATE // 2, np.float32))
    assert not tail[2 * stage.converter.delay + 2880 :].any()


@pytest.mark.parametrize("name", [*VOICED, "rvc"])
def test_never_nan_and_it_recovers(name: str, bruno: Voice, blend: Blend | None) -> None:
    stage = Stage(name)
    stage.set(0, Controls(), bruno, blend)
    bad = phrase()
    bad[1000:3000:3] = np.nan
    bad[3001:5000:5] = np.inf
    bad[5001:6000] = 1e30
    assert np.isfinite(stage.run(bad)).all()
    again = stage.run(phrase())
    assert np.isfinite(again).all()
    assert np.sqrt(np.mean(again**2)) > 0.02


def test_tiny_numbers_do_not_linger(bruno: Voice) -> None:
    stage = Stage("classic")
    stage.set(0, Controls(gate_db=-100.0), bruno)
    stage.run(np.full(4800, 1e-39, np.float32))
    for array in (*stage.state.pitch, *stage.state.stream, *stage.state.learnt):
        if array.dtype == np.float32:
            assert not ((array != 0) & (np.abs(array) < 1e-38)).any()


@pytest.mark.parametrize("name", VOICED)
@pytest.mark.parametrize("semitones", [-12.0, -5.0, 4.0, 7.0, 12.0])
def test_pitch_moves_as_asked(name: str, semitones: float, bruno: Voice) -> None:
    audio = sing(vibrato(220, 1.5, RATE), RATE, np.random.default_rng(1))
    controls = Controls(pitch_semitones=semitones, auto_pitch=False)
    out = convert_recording(available()[name](480), audio, bruno, controls)
    before, after = live.track(audio)[0], live.track(out)[0]
    both = (before > 0) & (after > 0)
    assert both.sum() > 0.8 * (before > 0).sum()
    cents = 1200 * np.log2(after[both] / before[both]) - 100 * semitones
    assert np.median(np.abs(cents)) < 10


@pytest.mark.parametrize("name", VOICED)
def test_pitch_moves_whole_octaves_towards_the_target(name: str, bruno: Voice) -> None:
    audio = sing(vibrato(392, 3.0, RATE), RATE, np.random.default_rng(1))
    out = convert_recording(available()[name](480), audio, bruno, Controls())
    after = live.track(out)[0][-200:]
    octaves = np.log2(np.median(after[after > 0]) / 392)
    assert round(float(octaves)) == -2  # 119 Hz is nearer to 98 than to 196
    assert abs(octaves - round(float(octaves))) < 0.02


@pytest.mark.parametrize("name", VOICED)
def test_different_targets_are_different_voices(name: str, bruno: Voice, aria: Voice) -> None:
    audio = phrase()
    controls = Controls(auto_pitch=False)
    one = convert_recording(available()[name](480), audio, bruno, controls)
    two = convert_recording(available()[name](480), audio, aria, controls)
    assert np.sqrt(np.mean((one - two) ** 2)) > 0.1 * np.sqrt(np.mean(one**2))


@pytest.mark.parametrize("name", VOICED)
@pytest.mark.parametrize(("block", "samples"), [(100, 480), (480, 100)])
def test_odd_blocks_are_refused(name: str, block: int, samples: int) -> None:
    with pytest.raises(ValueError, match="multiple of"):
        converter = available()[name](block)
        converter.step(
            converter.open(1),
            torch.zeros(1, samples),
            converter.voice_rows(1),
            ControlRows(1),
            torch.ones(1, dtype=torch.bool),
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"pitch_semitones": 25},
        {"dry_wet": "x"},
        {"gate_db": float("nan")},
        {"auto_pitch": 1},
        {"dry_wet": True},
    ],
)
def test_controls_refuse_what_is_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Controls(**wrong)


def test_progress_is_told(bruno: Voice) -> None:
    told: list[float] = []
    convert_recording(available()["classic"](480), phrase(), bruno, progress=told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert len(told) > 50
