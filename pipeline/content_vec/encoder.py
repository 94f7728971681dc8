"""ContentVec: 20 ms frames of what is said or sung, as RVC takes them from a HuBERT-base network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import torch
from torch import Tensor, nn

from pipeline.content_vec.files import read_folder
from pipeline.content_vec.names import LAYERS, empty, to_torchaudio
from pipeline.errors import AudioTooShort, WeightsCorrupt
from pipeline.weights.torch_file import fill

Version = Literal["v1", "v2"]

SAMPLE_RATE = 16_000
HOP = 320  # samples from one frame to the next: 50 a second
FIELD = 400  # samples that one frame hears; frame t hears those from t · HOP on, before the transformer
LAYER = {"v1": 9, "v2": LAYERS}  # whose output is taken; Hugging Face's hidden_states[9] and last_hidden_state
EPSILON = 1e-7


def frames_of(samples: int) -> int:
    """How many frames that many samples give."""
    return max(0, (samples - FIELD) // HOP + 1)


class ContentVec:
    """A loaded network; made by `load`.

    Attributes:
        hidden: dimensions of v2's features.
        projected: dimensions of v1's, or 0 without `final_proj`: no v1 voice can be sung from it.
    """

    def __init__(self, network: nn.Module, projection: nn.Linear | None, hidden: int, normalise: bool) -> None:
        self.hidden = hidden
        self.projected = 0 if projection is None else projection.out_features
        self._network, self._projection, self._normalise = network, projection, normalise
        weight = next(network.parameters())
        self.device, self.dtype = weight.device, weight.dtype

    @classmethod
    def load(
        cls,
        folder: Path,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        hidden: int = 768,
        projected: int = 256,
    ) -> Self:
        """Read a folder in the format of Hugging Face's library.

        Args:
            folder: with `config.json`, `model.safetensors` or `pytorch_model.bin`, and, if recordings are to be
                normalised, `preprocessor_config.json`.
            device, dtype: where and in what it computes.
            hidden, projected: dimensions that the features must have; RVC's voices take these.

        Raises:
            WeightsUnavailable: no such folder, or files of it are missing; names the command that fetches them.
            WeightsCorrupt: another kind of network, other sizes, or damaged files; nothing in them is executed.
        """
        sizes, state, normalise = read_folder(folder)
        if (sizes.hidden, sizes.projection) != (hidden, projected):
            raise WeightsCorrupt(
                f"{folder.name} gives features of {sizes.hidden} and {sizes.projection} dimensions, "
                f"not {hidden} and {projected}",
                "bring ContentVec or HuBERT base",
            )
        try:
            made, last = to_torchaudio(state)
        except ValueError as problem:
            raise WeightsCorrupt(f"{folder.name} is not ContentVec: {problem}") from problem
        network = empty(sizes)
        fill(folder, network, made)
        projection = None
        if last:
            with torch.device("meta"):
                projection = nn.Linear(hidden, projected)
            fill(folder, projection, last)
            projection.to(device, dtype)
        return cls(network.to(device, dtype), projection, hidden, normalise)

    @torch.no_grad()
    def encode(self, audio: Tensor, version: Version) -> Tensor:
        """Features of some rows of sound.

        Args:
            audio: (rows, samples) float32 at 16 kHz, all of one length, as loud as it was recorded: it is
                normalised only where the folder asks for it.
            version: "v1" takes layer 9 through `final_proj`, "v2" layer 12.

        Returns:
            (rows, frames_of(samples), 256 or 768) in the network's type.

        Raises:
            AudioTooShort: less than 25 ms.
            WeightsCorrupt: v1 is asked of a folder without `final_proj`.
        """
        if audio.shape[1] < FIELD:
            raise AudioTooShort(f"{audio.shape[1]} samples are too few for features: {FIELD} are needed")
        if version == "v1" and self._projection is None:
            raise WeightsCorrupt("this ContentVec lacks final_proj, which voices of RVC v1 need")
        audio = audio.to(self.device)
        if self._normalise:
            spread = (audio.var(1, correction=0, keepdim=True) + EPSILON).sqrt()
            audio = (audio - audio.mean(1, keepdim=True)) / spread
        features: Tensor = self._network.extract_features(audio.to(self.dtype), None, LAYER[version])[0][-1]  # type: ignore[operator]
        if version == "v1" and self._projection is not None:
            features = self._projection(features)
        return features
