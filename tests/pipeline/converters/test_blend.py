"""Two voices at once: where blends lie, what they leave as it was, and that they move without a click.

That the six properties of the contract hold with a blend, `test_contract.py` tells.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pipeline.converters import available
from pipeline.converters.base import Controls
from pipeline.converters.blend import Blend, known_bands
from pipeline.converters.stream import convert_recording
from pipeline.pitch import live
from pipeline.synthetic import sing, vibrato
from pipeline.timbre import BAND_CENTRES_HZ
from pipeline.voice import Voice
from tests.stage import RATE, Stage, phrase

NAMES = sorted(set(available()) - {"rvc"})  # whose voices do not blend
VOICED = ["classic", "native"]  # those that make another voice
AS_SUNG = Controls(auto_pitch=False)


def sung_by(name: str, voice: Voice, blend: Blend | None = None, audio: np.ndarray | None = None) -> np.ndarray:
    stage = Stage(name)
    stage.set(0, AS_SUNG, voice, blend)
    return stage.run(phrase() if audio is None else audio)


def spectrum(audio: np.ndarray) -> np.ndarray:
    """Mean log power of what is loud, in bands from 150 Hz to 10 kHz, less its mean."""
    frames = np.lib.stride_tricks.sliding_window_view(audio.astype(float), 2048)[::480] * np.hanning(2048)
    power = np.abs(np.fft.rfft(frames)) ** 2
    power = power[power.sum(1) > 0.01 * power.sum(1).max()]
    edges = np.geomspace(150, 10_000, 33) / RATE * 2048
    bands = [power[:, int(a) : max(int(a) + 1, int(b))].mean(1) for a, b in pairwise(edges)]
    level = np.log(np.array(bands) + 1e-9).mean(1)
    return np.asarray(level - level.mean())


def distance(one: np.ndarray, two: np.ndarray) -> float:
    """Log-spectral distance in dB."""
    return float(10 / np.log(10) * np.sqrt(np.mean((spectrum(one) - spectrum(two)) ** 2)))


@pytest.mark.parametrize("name", NAMES)
def test_a_share_of_nothing_changes_no_bit(name: str, bruno: Voice, aria: Voice) -> None:
    assert np.array_equal(sung_by(name, bruno, Blend(aria, 0.0)), sung_by(name, bruno))


@pytest.mark.parametrize("name", NAMES)
def test_a_share_of_all_is_the_second_voice(name: str, bruno: Voice, aria: Voice) -> None:
    assert np.abs(sung_by(name, bruno, Blend(aria, 1.0)) - sung_by(name, aria)).max() < 1e-5


@pytest.mark.parametrize("name", VOICED)
def test_blends_lie_between_the_voices(name: str, bruno: Voice, aria: Voice) -> None:
    audio = np.concatenate([phrase(1, 190), phrase(2, 230)])
    sounds = [sung_by(name, bruno, Blend(aria, share), audio) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    apart = distance(sounds[0], sounds[-1])
    from_first = [distance(sounds[0], sound) for sound in sounds]
    from_second = [distance(sounds[-1], sound) for sound in sounds]
    assert apart > 1.0
    assert from_first == sorted(from_first)
    assert from_second == sorted(from_second, reverse=True)
    assert 0.3 * apart < from_first[2] < 0.8 * apart
    assert 0.3 * apart < from_second[2] < 0.8 * apart


@pytest.mark.parametrize("name", VOICED)
def test_the_order_of_the_voices_does_not_matter(name: str, bruno: Voice, aria: Voice) -> None:
    one, two = sung_by(name, bruno, Blend(aria, 0.3)), sung_by(name, aria, Blend(bruno, 0.7))
    assert np.abs(one - two).max() < 1e-4


@pytest.mark.parametrize("name", VOICED)
def test_the_range_lies_between_as_well(name: str, bruno: Voice, aria: Voice) -> None:
    """392 Hz is two octaves above the low voice (119 Hz), and one above what lies nearer the high one."""
    audio = sing(vibrato(392.0, 3.0, RATE), RATE, np.random.default_rng(1))
    octaves = []
    for share in (0.1, 0.6):
        out = convert_recording(available()[name](480), audio, bruno, blend=Blend(aria, share))
        after = live.track(out)[0][-200:]
        octaves.append(round(float(np.log2(np.median(after[after > 0]) / 392.0))))
    assert octaves == [-2, -1]


@pytest.mark.parametrize("name", VOICED)
@pytest.mark.parametrize("ending", ["set", "clear", "none"])
def test_a_blend_ends(name: str, ending: str, bruno: Voice, aria: Voice) -> None:
    stage = Stage(name)
    stage.set(0, AS_SUNG, bruno, Blend(aria, 0.6))
    if ending == "none":
        stage.voices.blend(0, None, 0.9)
    elif ending == "clear":
        stage.voices.clear(0)
        assert np.array_equal(stage.run(phrase()), Stage(name).run(phrase()))
        stage.state.reset(0)
    if ending != "none":
        stage.voices.set(0, bruno)
    assert np.array_equal(stage.run(phrase()), sung_by(name, bruno))


@pytest.mark.parametrize("name", VOICED)
def test_a_moved_share_is_the_share(name: str, bruno: Voice, aria: Voice) -> None:
    stage = Stage(name)
    stage.set(0, AS_SUNG, bruno)
    for share in (0.9, 0.0, 1.0, 0.3):
        stage.voices.blend(0, aria, share)
    assert np.array_equal(stage.run(phrase()), sung_by(name, bruno, Blend(aria, 0.3)))


@pytest.mark.parametrize("name", VOICED)
def test_another_second_voice_takes_its_place(name: str, bruno: Voice, aria: Voice) -> None:
    stage = Stage(name)
    stage.set(0, AS_SUNG, aria, Blend(replace(aria), 0.5))
    stage.voices.blend(0, bruno, 0.5)
    assert np.array_equal(stage.run(phrase()), sung_by(name, aria, Blend(bruno, 0.5)))


@pytest.mark.parametrize("name", VOICED)
def test_above_what_is_known_of_either_nothing_is_invented(name: str, bruno: Voice, aria: Voice) -> None:
    narrow = replace(aria, timbre=replace(aria.timbre, bandwidth_hz=4000.0))
    stage = Stage(name)
    stage.voices.set(0, bruno)
    top = (stage.voices.targets if name == "classic" else stage.voices).top
    for share, expected in ((0.0, bruno), (0.2, narrow), (1.0, narrow)):
        stage.voices.blend(0, narrow, share)
        assert top[0] == known_bands(expected)
    stage.voices.set(0, narrow)
    stage.voices.blend(0, bruno, 0.8)
    assert BAND_CENTRES_HZ[top[0] - 1] < 4000
    stage.voices.blend(0, bruno, 1.0)
    assert top[0] == known_bands(bruno)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan"), "half", None, True])
def test_a_share_that_is_none_is_refused(name: str, share: Any, bruno: Voice, aria: Voice) -> None:
    stage = Stage(name)
    stage.set(0, AS_SUNG, bruno, Blend(aria, 0.25))
    with pytest.raises(ValueError, match="from 0 to 1"):
        stage.voices.blend(0, aria, share)
    assert np.array_equal(stage.run(phrase()), sung_by(name, bruno, Blend(aria, 0.25)))


@pytest.mark.parametrize("name", VOICED)
def test_there_must_be_a_first_voice(name: str, aria: Voice) -> None:
    stage = Stage(name)
    stage.voices.blend(0, None, 0.0)  # nothing to end
    with pytest.raises(ValueError, match="no voice to blend"):
        stage.voices.blend(0, aria, 0.5)
    assert np.array_equal(stage.run(phrase()), Stage(name).run(phrase()))


def test_a_second_voice_that_native_cannot_read_is_refused(bruno: Voice, aria: Voice) -> None:
    stage = Stage("native")
    stage.set(0, AS_SUNG, bruno)
    with pytest.raises(ValueError, match="no frames"):
        stage.voices.blend(0, replace(aria, bank=None), 0.5)
    assert np.array_equal(stage.run(phrase()), sung_by("native", bruno))


def test_moving_the_share_reads_no_voice_again(bruno: Voice, aria: Voice) -> None:
    """The second bank is what it was, to the bit, though what it was made from has changed since."""
    own = replace(aria, bank=replace(aria.bank, content=aria.bank.content.copy()))  # type: ignore[type-var]
    stage = Stage("native")
    stage.set(0, AS_SUNG, bruno, Blend(own, 0.2))
    assert own.bank is not None
    own.bank.content[:] = 0.0
    stage.voices.blend(0, own, 0.6)
    assert np.array_equal(stage.run(phrase()), sung_by("native", bruno, Blend(aria, 0.6)))


@pytest.mark.parametrize("name", VOICED)
def test_a_dragged_slider_makes_no_click(name: str, bruno: Voice, aria: Voice) -> None:
    audio = sing(vibrato(196.0, 2.0, RATE, depth_cents=0), RATE, np.random.default_rng(1), breath_db=-80)
    stage = Stage(name)
    stage.set(0, AS_SUNG, bruno)
    shares = {100 + 2 * i: share for i, share in enumerate(np.linspace(0.0, 1.0, 16))} | {150: 0.0, 160: 0.9}
    out = []
    for n in range(len(audio) // 480):
        if n in shares:
            stage.voices.blend(0, aria, float(shares[n]))
        out.append(stage.step({0: audio[n * 480 : (n + 1) * 480].astype(np.float32)})[0])
    jerk = np.abs(np.diff(np.concatenate(out).astype(float), 3))
    moving = slice(99 * 480, 168 * 480)
    still = np.concatenate([jerk[RATE // 2 : moving.start], jerk[moving.stop :]])
    assert jerk[moving].max() < 2.0 * np.percentile(still, 99.9)


@pytest.mark.parametrize("name", VOICED)
def test_nothing_of_the_last_singer_is_left(name: str, bruno: Voice, aria: Voice) -> None:
    """A row that is cleared and given to the next one starts without a blend."""
    stage = Stage(name, rows=2)
    stage.set(1, AS_SUNG, bruno, Blend(aria, 0.7))
    stage.run(phrase(3), row=1)
    stage.state.reset(1)
    stage.voices.clear(1)
    stage.set(1, AS_SUNG, bruno)
    fresh = Stage(name, rows=2)
    fresh.set(1, AS_SUNG, bruno)
    assert np.array_equal(stage.run(phrase(), row=1), fresh.run(phrase(), row=1))


@pytest.mark.parametrize("name", NAMES)
def test_a_row_that_waits_for_its_voice_remembers_no_other(name: str, bruno: Voice, aria: Voice) -> None:
    """What is heard before a voice is set is not heard through the one that was there before."""
    heard = []
    for last in (None, aria):
        stage = Stage(name)
        if last is not None:
            stage.set(0, AS_SUNG, last, Blend(bruno, 0.5))
            stage.run(phrase(3))
            stage.state.reset(0)
            stage.voices.clear(0)
        stage.controls.set(0, AS_SUNG)
        sung = phrase()
        before = stage.run(sung[:19_200])
        stage.voices.set(0, bruno)
        heard.append(np.concatenate([before, stage.run(sung[19_200:])]))
    assert np.array_equal(*heard)


def test_a_voice_that_does_not_fit_leaves_the_blend_as_it_was(bruno: Voice, aria: Voice) -> None:
    stage, as_it_was = Stage("native"), Stage("native")
    for one in (stage, as_it_was):
        one.set(0, AS_SUNG, bruno, Blend(aria, 0.5))
    assert aria.bank is not None
    with pytest.raises(ValueError, match="summary"):
        stage.voices.blend(0, replace(aria, bank=replace(aria.bank, summary=aria.bank.summary[:5])), 0.9)
    stage.voices.blend(0, aria, 0.5)
    assert np.array_equal(stage.run(phrase()), as_it_was.run(phrase()))
