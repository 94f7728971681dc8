"""FCPE, a pitch tracker for recordings, as a plain torch module with the weights of the package torchfcpe.

Luo et al., "FCPE: a fast context-based pitch estimation model", 2025. The published weights are a conformer
without attention: a frame depends on 0.92 s of sound on each side and, through one normalisation, on all of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import WeightsCorrupt
from pipeline.pitch.salience import decode
from pipeline.weights.torch_file import fill, load_torch, tensors_of

SAMPLE_RATE = 16_000
WINDOW, HOP = 1024, 160  # samples
MELS, WIDTH, LAYERS, BINS = 128, 512, 6, 360
KERNEL = 31  # frames that one layer hears
THRESHOLD = 0.006
FLOOR, QUIET = 1e-9, 1e-5  # of power, of mel magnitudes
MOST_BYTES = 200 << 20
CONFIG: dict[str, dict[str, Any]] = {  # the network that is built here
    "mel": {
        "sr": 16_000,
        "num_mels": 128,
        "n_fft": 1024,
        "win_size": 1024,
        "hop_size": 160,
        "fmin": 0,
        "fmax": 8000,
    },
    "model": {
        "type": "CFNaiveMelPE",
        "out_dims": BINS,
        "hidden_dims": WIDTH,
        "n_layers": LAYERS,
        "conv_only": True,
    },
}


class _Depthwise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2 * WIDTH, 2 * WIDTH, KERNEL, padding=KERNEL // 2, groups=2 * WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class _Turn(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class _Convolutions(nn.Module):
    """The convolutional part of a conformer's layer (Gulati et al., "Conformer", 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(WIDTH),
            _Turn(),
            nn.Conv1d(WIDTH, 4 * WIDTH, 1),
            nn.GLU(1),
            _Depthwise(),
            nn.SiLU(),
            nn.Conv1d(2 * WIDTH, WIDTH, 1),
            _Turn(),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.net(x)
        return out


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conformer = _Convolutions()
        self.norm = nn.LayerNorm(WIDTH)  # of the attention that is not there; the file has its weights

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conformer(x)
        return out


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder_layers = nn.ModuleList(_Layer() for _ in range(LAYERS))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.encoder_layers:
            x = layer(x)
        return x


class FcpeNetwork(nn.Module):
    """(rows, frames, MELS) log mel magnitudes -> (rows, frames, BINS) salience; names as in its file."""

    cent_table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.input_stack = nn.Sequential(
            nn.Conv1d(MELS, WIDTH, 3, padding=1),
            nn.GroupNorm(4, WIDTH),
            nn.LeakyReLU(),
            nn.Conv1d(WIDTH, WIDTH, 3, padding=1),
        )
        self.net = _Encoder()
        self.norm = nn.LayerNorm(WIDTH)
        self.output_proj = nn.Linear(WIDTH, BINS)
        self.register_buffer("cent_table", torch.empty(BINS))

    def forward(self, mels: Tensor) -> Tensor:
        """See the class."""
        x = self.input_stack(mels.transpose(1, 2)).transpose(1, 2)
        out: Tensor = torch.sigmoid(self.output_proj(self.norm(self.net(x))))
        return out


class Fcpe:
    """The tracker; made by `load`."""

    def __init__(self, network: FcpeNetwork) -> None:
        self._network = network
        self.device, self.dtype = network.cent_table.device, network.norm.weight.dtype
        self._cents = network.cent_table.float()
        self._window = torch.hann_window(WINDOW, device=self.device)
        self._filters = torchaudio.functional.melscale_fbanks(
            WINDOW // 2 + 1, 0.0, SAMPLE_RATE / 2, MELS, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
        ).to(self.device)

    @classmethod
    def load(cls, path: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Self:
        """Read the registered file "fcpe".

        Args:
            path: the file.
            device, dtype: where and in what the network computes.

        Raises:
            WeightsCorrupt: damaged, or another kind of file or of network; nothing in it is executed.
        """
        loaded = load_torch(path, MOST_BYTES)
        config = loaded.get("config_dict") if isinstance(loaded, dict) else None
        for part, wanted in CONFIG.items():
            found = config.get(part) if isinstance(config, dict) else None
            if not isinstance(found, dict) or any(found.get(key) != value for key, value in wanted.items()):
                raise WeightsCorrupt(f"{path.name} does not hold FCPE's published network")
        state = dict(tensors_of(path, loaded.get("model")))
        state.pop("gaussian_blurred_cent_mask", None)  # for training
        norm, direction = (
            state.pop(f"output_proj.{name}", torch.empty(0)) for name in ("weight_g", "weight_v")
        )
        if norm.shape != (BINS, 1) or direction.shape != (BINS, WIDTH):
            raise WeightsCorrupt(f"{path.name} does not fit its network: output_proj")
        state["output_proj.weight"] = norm * functional.normalize(direction, dim=1)
        with torch.device("meta"):
            network = FcpeNetwork()
        fill(path, network, state)
        cents = network.cent_table.clone()
        network.to(device, dtype)
        network.cent_table = cents.to(device)
        return cls(network)

    @torch.no_grad()
    def track(self, audio: Tensor, threshold: float = THRESHOLD) -> Tensor:
        """The pitch of some rows of sound.

        Args:
            audio: (rows, samples) float32 at 16 kHz, all of one length.
            threshold: salience from which a frame is voiced.

        Returns:
            (rows, 1 + samples // HOP) Hz, 0 unvoiced, 100 a second; frame n tells the pitch at
            sample n · HOP: its window is centred 5 ms later, but the network was trained to tell this.
        """
        frames = audio.shape[1] // HOP + 1
        if not audio.shape[1]:
            return torch.zeros(len(audio), frames, device=self.device)
        return decode(self.salience(audio), self._cents, threshold, edges_again=True)

    @torch.no_grad()
    def salience(self, audio: Tensor) -> Tensor:
        """What the network says: (rows, samples) -> (rows, 1 + samples // HOP, BINS) float32."""
        out: Tensor = self._network(self.mels(audio).to(self.dtype))
        return out.float()

    def mels(self, audio: Tensor) -> Tensor:
        """(rows, samples) -> (rows, 1 + samples // HOP, MELS) natural logarithm of mel magnitudes."""
        samples, left = audio.shape[1], (WINDOW - HOP) // 2
        right = max(left, WINDOW - samples - left)
        mode = "reflect" if right < samples else "constant"
        padded = functional.pad(audio.to(self.device).unsqueeze(1), (left, right), mode=mode).squeeze(1)
        spectrum = torch.stft(padded, WINDOW, HOP, window=self._window, center=False, return_complex=True)
        magnitudes = (spectrum.real.square() + spectrum.imag.square() + FLOOR).sqrt()
        mels = (magnitudes.transpose(1, 2) @ self._filters).clamp(min=QUIET).log()
        missing = samples // HOP + 1 - mels.shape[1]
        return torch.cat((mels, mels[:, -1:]), 1) if missing > 0 else mels[:, : samples // HOP + 1]
