import numpy as np
import pytest
import torch

from pipeline.converters.rvc import shaping


def test_coarse_pitch_is_evenly_spaced_on_the_mel_scale() -> None:
    hz = torch.tensor([0.0, 20.0, 50.0, 1100.0, 4000.0])
    assert shaping.coarse_pitch(hz).tolist() == [1, 1, 1, 255, 255]
    steps = np.arange(1, 256)
    low, high = 1127 * np.log(1 + 50 / 700), 1127 * np.log(1 + 1100 / 700)
    back = 700 * (np.exp((low + (steps - 1) * (high - low) / 254) / 1127) - 1)
    assert shaping.coarse_pitch(torch.from_numpy(back).reshape(5, 51)).flatten().tolist() == steps.tolist()
    between = (back[1:] + back[:-1]) / 2
    found = shaping.coarse_pitch(torch.from_numpy(between.astype(np.float32))).numpy()
    assert set(np.unique(found - steps[:-1])) <= {0, 1}
    assert (
        shaping.coarse_pitch(torch.tensor([440.0])).item() == 122
    )  # 1 + 254 · (549.6 − 77.8) / (1064.4 − 77.8)


def test_transposition_is_in_semitones() -> None:
    moved = shaping.transpose(torch.tensor([[220.0, 0.0], [110.0, 330.0]]), torch.tensor([12.0, -12.0]))
    assert torch.allclose(moved, torch.tensor([[440.0, 0.0], [55.0, 165.0]]))
    assert torch.allclose(shaping.transpose(torch.tensor([[100.0]]), 7.0), torch.tensor([[149.8307]]))


def test_every_frame_is_taken_twice() -> None:
    features = torch.arange(6.0).reshape(1, 3, 2)
    expected = torch.nn.functional.interpolate(features.transpose(1, 2), scale_factor=2).transpose(1, 2)
    assert torch.equal(shaping.to_pitch_rate(features), expected)


def test_unvoiced_frames_are_protected_below_half() -> None:
    mixed, own = torch.ones(3, 2, 4), torch.zeros(3, 2, 4)
    f0 = torch.tensor([[200.0, 0.0]] * 3)
    kept = shaping.protect(mixed, own, f0, torch.tensor([0.0, 0.33, 0.5]))
    assert torch.allclose(kept[..., 0], torch.tensor([[1.0, 0.0], [1.0, 0.33], [1.0, 1.0]]))
    assert torch.allclose(shaping.protect(mixed, own, f0, 0.2)[2, 1], torch.full((4,), 0.2))
    assert shaping.protect(mixed.half(), own.half(), f0, 0.2).dtype == torch.float16


@pytest.mark.parametrize("rate", [16_000, 48_000, 11_025])
def test_loudness_is_of_a_second_twice_a_second(rate: int) -> None:
    """As `librosa.feature.rms(frame_length=rate // 2 * 2, hop_length=rate // 2)`, written out."""
    audio = np.random.default_rng(1).standard_normal((2, int(2.7 * rate))).astype(np.float32)
    audio *= np.linspace(0.01, 1, audio.shape[1], dtype=np.float32)
    found, hop = shaping.window_rms(torch.from_numpy(audio), rate).numpy(), rate // 2
    assert found.shape == (2, 1 + audio.shape[1] // hop)
    for place in range(found.shape[1]):
        heard = audio[:, max(0, place * hop - hop) : place * hop + hop].astype(float)
        assert np.allclose(found[:, place], np.sqrt((heard**2).sum(1) / (2 * hop)), rtol=1e-5)


def test_loudness_is_mixed_as_rvc_mixes_it() -> None:
    rng = np.random.default_rng(2)
    sung = torch.from_numpy(rng.standard_normal((3, 32_000)).astype(np.float32)) * torch.linspace(
        0.2, 0.02, 32_000
    )
    made = 0.1 * torch.from_numpy(rng.standard_normal((3, 80_000)).astype(np.float32))
    mixed = shaping.mix_loudness(made, 40_000, sung, 16_000, torch.tensor([1.0, 0.25, 0.0]))
    assert torch.equal(mixed[0], made[0])
    quarter, half = slice(18_000, 22_000), slice(38_000, 42_000)
    for place, loud in ((quarter, 0.2 - 0.18 * 0.25), (half, 0.2 - 0.18 * 0.5)):
        assert mixed[2, place].square().mean().sqrt() == pytest.approx(loud, rel=0.15)
    between = made[1].square().mean().sqrt() ** 0.25 * mixed[2].square().mean().sqrt() ** 0.75
    assert mixed[1].square().mean().sqrt() == pytest.approx(between.item(), rel=0.15)


def test_silence_stays_silent_and_finite() -> None:
    silence, noise = torch.zeros(1, 48_000), torch.randn(1, 16_000)
    for rate in (0.0, 0.5, 1.0):
        assert torch.equal(shaping.mix_loudness(silence, 48_000, noise, 16_000, rate), silence)
        assert torch.isfinite(
            shaping.mix_loudness(torch.ones(1, 48_000), 48_000, silence[:, :16_000], 16_000, rate)
        ).all()
