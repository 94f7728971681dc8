"""Voice files from anywhere: what no voice can be is refused. What they keep, `test_profile.py` tells."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auto_voice.storage.profiles import BUILTIN
from pipeline.voice_file import load_voice, save_voice


def test_a_pitch_of_nothing_is_refused(tmp_path: Path) -> None:
    voice = load_voice(BUILTIN / "aria.safetensors")
    save_voice(tmp_path / "still.safetensors", replace(voice, f0_hz=np.zeros_like(voice.f0_hz)))
    with pytest.raises(ValueError, match="0 Hz"):
        load_voice(tmp_path / "still.safetensors")
