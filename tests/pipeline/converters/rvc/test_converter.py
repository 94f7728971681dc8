"""RVC voices in a stream: what holds beyond the contract that all converters keep."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from pipeline.converters.base import ControlRows, Controls
from pipeline.converters.rvc.architecture import Version
from pipeline.converters.rvc.converter import Rvc, VoiceTooSlow
from pipeline.converters.rvc.timing import LIVE, Timing
from pipeline.converters.rvc.voice import RvcVoice
from pipeline.pitch import live
from pipeline.synthetic import sing, vibrato
from pipeline.voice import Voice
from tests.rvc import Bands, architecture, converter, synthesiser, voice
from tests.stage import phrase

PLAIN = Controls(auto_pitch=False)


class Rows:
    """A converter with some rows and their voices, stepped by hand."""

    def __init__(self, made: Rvc, *voices: RvcVoice | None) -> None:
        self.converter, count = made, len(voices)
        self.state, self.voices = made.open(count), made.voice_rows(count)
        self.controls, self.active = ControlRows(count), torch.ones(count, dtype=torch.bool)
        for row, one in enumerate(voices):
            self.controls.set(row, PLAIN)
            if one is not None:
                self.voices.set(row, one)

    def run(
        self, audio: np.ndarray, sizes: tuple[int, ...] = (1,), f0_hz: np.ndarray | None = None
    ) -> np.ndarray:
        """Convert (rows, samples) by so many hops at a time, over and over: (rows, samples)."""
        hop, made, at = self.converter.hop, [], 0
        while at + hop <= audio.shape[1]:
            size = min(hop * sizes[len(made) % len(sizes)], (audio.shape[1] - at) // hop * hop)
            known = None if f0_hz is None else torch.from_numpy(f0_hz[:, at // 240 : (at + size) // 240].copy())
            block = torch.from_numpy(audio[:, at : at + size].copy())
            out = self.converter.step(self.state, block, self.voices, self.controls, self.active, known)
            made.append(out.numpy().copy())
            at += size
        return np.concatenate(made, 1)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Power of the difference of two sounds against that of the second, in dB."""
    return float(10 * np.log10(np.mean((one - other) ** 2) / np.mean(other**2)))


def test_blocks_of_any_size_give_the_same() -> None:
    audio = phrase()[None, 4800:28800]
    expected = Rows(converter(), voice()).run(audio, (100,))
    for sizes in ((1,), (3, 1, 7)):
        assert np.abs(Rows(converter(), voice()).run(audio, sizes) - expected).max() < 1e-5


@pytest.mark.parametrize("rate", [32_000, 40_000])
def test_voices_of_other_rates_are_in_place(rate: int) -> None:
    """The sung pitch is where and what the singer's is, whatever rate the network has."""
    made = converter()
    size = architecture(rate)
    audio = phrase()[None, 4800:24000]
    out = Rows(made, voice(0, size)).run(audio)[0]
    assert np.isfinite(out).all()
    assert np.sqrt(np.mean(out**2)) > 1e-3


def test_enough_look_ahead_gives_the_offline_result() -> None:
    """With all in reach (attention left out, which reaches everywhere) any cut of a stream is as good."""
    local = synthesiser(0, architecture())
    for layer in local.enc_p.encoder.attn_layers:
        layer.conv_o.weight.zero_()
    audio = np.pad(phrase()[:38400], (0, 38400))[None]
    f0 = live.track(audio[0])[0][None]
    sung = []
    for timing in (Timing(4, 40, 80, 80), Timing(20, 40, 100, 80)):
        made = converter(timing)
        out = Rows(made, RvcVoice("local", "Local", local)).run(audio, f0_hz=f0)[0]
        sung.append(out[made.delay : made.delay + 38400])
    assert np.abs(sung[0] - sung[1]).max() < 1e-4 * np.abs(sung[1]).max()


def test_less_look_ahead_and_context_cost_something() -> None:
    audio = np.pad(phrase()[4800:38400], (0, 28800))[None]
    reference, default, hasty = (
        Rows(made, voice()).run(audio)[0][made.delay : made.delay + 28800]
        for made in (converter(Timing(20, 40, 200, 100)), converter(), converter(Timing(4, 2, 30, 30)))
    )
    assert _apart(default, reference) < _apart(hasty, reference)


def test_the_default_is_60_ms_late_at_most() -> None:
    assert LIVE.delay <= 0.060 * 48_000


def test_rows_of_several_models_and_kinds_sing_together_as_alone() -> None:
    voices = [voice(0), voice(1), voice(0), voice(2, architecture(40_000, "v1")), None, voice(3, speaker=2)]
    audio = np.stack([phrase(seed)[4800:19200] for seed in range(6)])
    together = Rows(converter(), *voices).run(audio)
    for row, one in enumerate(voices):
        alone = Rows(converter(), one).run(audio[row : row + 1])[0]
        assert np.abs(together[row] - alone).max() < 1e-4


def test_speakers_of_one_file_differ() -> None:
    audio = phrase()[None, 4800:19200]
    one, two = (Rows(converter(), voice(0, speaker=s)).run(audio) for s in (0, 1))
    assert np.abs(one - two).max() > 1e-3


def test_a_voice_without_pitch_sings_too() -> None:
    audio = phrase()[None, 4800:19200]
    out = Rows(converter(), voice(0, architecture(pitched=False))).run(audio)
    assert np.isfinite(out).all()
    assert np.abs(out).max() > 1e-3


def test_another_voice_begins_without_a_click() -> None:
    audio = np.stack([phrase()[4800:28800]] * 2)
    rows = Rows(converter(), voice(0), voice(0))
    rows.run(audio[:, :11520])
    rows.voices.set(0, voice(4))
    out = rows.run(audio[:, 11520:23040])
    step = np.abs(np.diff(out, axis=1))
    assert step[0, :480].max() <= 1.5 * step[0].max()
    assert np.abs(out[0, 4800:] - out[1, 4800:]).max() > 1e-3


def test_loudness_follows_the_singer_where_that_is_asked() -> None:
    audio = sing(vibrato(190, 0.8, 48_000), 48_000, np.random.default_rng(1))[None]
    audio = audio * np.linspace(0.1, 1.0, audio.shape[1], dtype=np.float32)
    own, follows = (Rows(converter(), voice(0, rms_mix=mix)).run(audio)[0] for mix in (1.0, 0.0))

    def growth(x: np.ndarray) -> float:
        return float(np.sqrt(np.mean(x[28800:] ** 2) / np.mean(x[9600:19200] ** 2)))

    assert growth(follows) > growth(own)


def test_formants_move_in_the_rows_that_ask_for_it() -> None:
    audio = np.stack([phrase()[4800:19200]] * 2)
    both = Rows(converter(), voice(0), voice(0, formant_semitones=5.0)).run(audio)
    alone = Rows(converter(), voice(0)).run(audio[:1])[0]
    assert np.abs(both[0] - alone).max() < 1e-5
    assert np.abs(both[1] - alone).max() > 1e-3


def test_a_device_that_fails_is_followed_by_the_cpu_with_the_same_step() -> None:
    class Failing(Bands):
        def encode(self, audio: torch.Tensor, version: Version) -> torch.Tensor:
            if made.trouble is None and len(calls) == 5:
                raise RuntimeError("CUDA error: out of memory")
            calls.append(1)
            return super().encode(audio, version)

    calls: list[int] = []
    made = Rvc(lambda device, dtype: Failing(), spare=True)
    made.prepare(voice())
    audio = np.stack([phrase()[4800:28800]] * 2)
    out = Rows(made, voice(0), None).run(audio)
    assert made.trouble is not None
    assert "out of memory" in made.trouble
    assert np.isfinite(out).all()
    assert np.abs(out[0, -9600:]).max() > 1e-3


def test_bfloat16_sings_nearly_the_same() -> None:
    audio = phrase()[None, 4800:28800]
    exact = Rows(converter(), voice()).run(audio)[0]
    rough = Rows(converter(dtype=torch.bfloat16), voice()).run(audio)[0]
    assert _apart(rough, exact) < -15


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")
def test_a_gpu_sings_what_the_cpu_sings() -> None:
    audio = np.stack([phrase(seed)[4800:28800] for seed in range(3)])
    voices = (voice(0), voice(1), voice(0))
    exact = Rows(converter(), *voices).run(audio)
    for graphs in (False, True):
        got = Rows(converter(device="cuda", graphs=graphs), *voices).run(audio)
        assert np.abs(got - exact).max() < 1e-3


def test_a_voice_that_is_too_slow_to_sing_is_refused_before_it_disturbs_anybody() -> None:
    class Slow(Bands):
        def encode(self, audio: torch.Tensor, version: Version) -> torch.Tensor:
            time.sleep(0.06)
            return super().encode(audio, version)

    made = Rvc(lambda device, dtype: Slow(), slowest=0.8)
    with pytest.raises(VoiceTooSlow, match="for 40 ms of 'Random 0'"):
        made.prepare(voice())
    Rvc(lambda device, dtype: Slow(), Timing(100, 20, 200, 200), slowest=1.0).prepare(voice())
    Rvc(lambda device, dtype: Slow()).prepare(voice())


def test_without_a_spare_a_failure_is_one() -> None:
    class Failing(Bands):
        def encode(self, audio: torch.Tensor, version: Version) -> torch.Tensor:
            raise RuntimeError("CUDA error: unspecified launch failure")

    made = Rvc(lambda device, dtype: Failing())
    made.prepare(voice())
    with pytest.raises(RuntimeError, match="launch failure"):
        Rows(made, voice(0)).run(phrase()[None, :1920])


def test_voices_that_were_measured_are_refused_in_words(bruno: Voice) -> None:
    with pytest.raises(ValueError, match="can only be sung by 'native'"):
        converter().voice_rows(1).set(0, bruno)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ((3, 5, 100, 100), "even"),
        ((4, 0, 100, 100), "look-ahead"),
        ((4, 5, 8, 100), "context"),
        ((4, 5, 100, 99), "context"),
    ],
)
def test_times_that_do_not_go_together_are_refused(wrong: tuple[int, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Timing(*wrong)
