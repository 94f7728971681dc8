"""Who is speaking: the GE2E encoder of Wan et al. ("Generalized end-to-end loss for speaker verification",
ICASSP 2018) with Resemblyzer's published weights, as a plain torch module."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import WeightsCorrupt
from pipeline.voice import EMBEDDING_SIZE

Float = NDArray[np.float32]

SAMPLE_RATE = 16_000
WINDOW, HOP = 400, 160  # samples: 25 and 10 ms
MELS = 40
PARTIAL = 160  # frames of one look
STEP = 77  # frames between looks (1.3 a second)
COVERAGE = 0.75  # the last look counts if this much of it is sound
LEVEL_DB = -30.0  # quieter recordings are brought to this
FRAME = 480  # samples (30 ms) of the silence detector
QUIET_DB = 35.0  # this far under the loud parts is silence


class Ge2e(nn.Module):
    """(batch, PARTIAL, MELS) mel power -> (batch, 256) unit vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(MELS, EMBEDDING_SIZE, num_layers=3, batch_first=True)
        self.linear = nn.Linear(EMBEDDING_SIZE, EMBEDDING_SIZE)

    def forward(self, mels: Tensor) -> Tensor:
        """Embed each look."""
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)


class SpeakerEncoder:
    """Speaker embeddings of recordings.

    Args:
        weights: the registered file "resemblyzer".

    Raises:
        WeightsCorrupt: another kind of file; nothing in it is executed.
    """

    def __init__(self, weights: Path) -> None:
        self._model = Ge2e().eval()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of other pickle protocols: such files are refused below
                loaded = torch.load(weights, map_location="cpu", weights_only=True)
            state = {k: v for k, v in loaded["model_state"].items() if k.split(".")[0] in ("lstm", "linear")}
            self._model.load_state_dict(state)
        except (KeyError, TypeError, AttributeError, RuntimeError, EOFError, pickle.UnpicklingError) as problem:
            raise WeightsCorrupt(f"{weights.name} does not hold the speaker encoder: {problem}") from problem
        self._filters = torchaudio.functional.melscale_fbanks(
            WINDOW // 2 + 1, 0.0, SAMPLE_RATE / 2, MELS, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
        )

    def embed(self, audio: Float) -> Float:
        """The voice of a recording.

        Args:
            audio: (samples,) float32 at 16 kHz; silence is left out.

        Returns:
            (256,) float32 of unit length.
        """
        mels = self._mels(without_silence(_at_level(audio)))
        frames = mels.shape[0]
        starts = list(range(0, max(1, frames - PARTIAL + STEP + 1), STEP))
        if len(starts) > 1 and (frames - starts[-1]) / PARTIAL < COVERAGE:
            starts.pop()
        padded = nn.functional.pad(mels, (0, 0, 0, max(0, starts[-1] + PARTIAL - frames)))
        with torch.inference_mode():
            looks = self._model(torch.stack([padded[s : s + PARTIAL] for s in starts]))
            result: Float = nn.functional.normalize(looks.mean(0), dim=0).numpy()
        return result

    def _mels(self, audio: Float) -> Tensor:
        """(frames, MELS) mel power."""
        spectrum = torch.stft(
            torch.from_numpy(np.ascontiguousarray(audio, np.float32)),
            WINDOW,
            HOP,
            window=torch.hann_window(WINDOW),
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power: Tensor = spectrum.abs().square().T @ self._filters
        return power


def _at_level(audio: Float) -> Float:
    """Audio no quieter than LEVEL_DB."""
    level = 10 * np.log10(np.sum(audio.astype(float) ** 2) / max(1, len(audio)) + 1e-12)
    return audio * np.float32(10 ** (max(0.0, LEVEL_DB - level) / 20))


def without_silence(audio: Float) -> Float:
    """Audio with its pauses cut to about a fifth of a second."""
    frames = len(audio) // FRAME
    if frames < 10:
        return audio
    power = 10 * np.log10(np.mean(audio[: frames * FRAME].reshape(frames, FRAME).astype(float) ** 2, 1) + 1e-12)
    loud = power > np.percentile(power, 95) - QUIET_DB
    near = np.convolve(loud, np.ones(7), "same") > 0
    return audio[: frames * FRAME][np.repeat(near, FRAME)] if near.any() else audio
