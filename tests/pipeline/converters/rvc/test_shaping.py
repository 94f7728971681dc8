import numpy as np
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
