"""RMVPE, a pitch tracker for recordings, also of singers over music, as a plain torch module.

Wei et al., "RMVPE: a robust model for vocal pitch estimation in polyphonic music", Interspeech 2023. A U-Net
over the mel spectrogram and a GRU in both directions: every frame depends on the whole input.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Self

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import AudioTooShort
from pipeline.pitch.salience import decode
from pipeline.weights.torch_file import fill, load_torch, tensors_of

SAMPLE_RATE = 16_000
WINDOW, HOP = 1024, 160  # samples
LOW_HZ, HIGH_HZ, MELS = 30.0, 8000.0, 128
QUIET = 1e-5  # of mel magnitudes
BINS, BIN_CENTS, FIRST_CENTS = 360, 20.0, 1997.3794084376191  # above 10 Hz
THRESHOLD = 0.03
LEVELS, BLOCKS, BETWEEN, CHANNELS = 5, 4, 4, 16
HIDDEN = 256  # of the GRU, each direction
MULTIPLE = 1 << LEVELS  # frames that the U-Net halves evenly
MOST_BYTES = 1 << 30


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )
        if inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1)
        self._same = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x) + (x if self._same else self.shortcut(x))
        return out


def _residuals(inputs: int, outputs: int) -> nn.ModuleList:
    return nn.ModuleList(_Residual(inputs if i == 0 else outputs, outputs) for i in range(BLOCKS))


class _Level(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = _residuals(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.conv:
            x = block(x)
        return x


class _Down(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(1)
        widths = [CHANNELS << i for i in range(LEVELS)]
        self.layers = nn.ModuleList(_Level(a, b) for a, b in zip([1, *widths], widths, strict=False))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, passed = self.bn(x), []
        for layer in self.layers:
            passed.append(layer(x))
            x = functional.avg_pool2d(passed[-1], 2)
        return x, passed


class _Between(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        inner = CHANNELS << LEVELS
        self.layers = nn.ModuleList(_Level(inner // 2 if i == 0 else inner, inner) for i in range(BETWEEN))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class _UpLevel(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )
        self.conv2 = _residuals(2 * outputs, outputs)

    def forward(self, x: Tensor, passed: Tensor) -> Tensor:
        x = torch.cat((self.conv1(x), passed), 1)
        for block in self.conv2:
            x = block(x)
        return x


class _Up(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = [CHANNELS << i for i in range(LEVELS, -1, -1)]
        self.layers = nn.ModuleList(_UpLevel(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor, passed: list[Tensor]) -> Tensor:
        for layer, level in zip(self.layers, reversed(passed), strict=True):
            x = layer(x, level)
        return x


class _UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.intermediate, self.decoder = _Down(), _Between(), _Up()

    def forward(self, x: Tensor) -> Tensor:
        x, passed = self.encoder(x)
        out: Tensor = self.decoder(self.intermediate(x), passed)
        return out


class _BothWays(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3 * MELS, HIDDEN, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.gru(x)[0]
        return out


class RmvpeNetwork(nn.Module):
    """(rows, frames, MELS) log mel magnitudes -> (rows, frames, BINS) salience; names as in the published file.

    The number of frames is a multiple of MULTIPLE.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unet = _UNet()
        self.cnn = nn.Conv2d(CHANNELS, 3, 3, padding=1)
        self.fc = nn.Sequential(_BothWays(), nn.Linear(2 * HIDDEN, BINS), nn.Dropout(0.25), nn.Sigmoid())

    def forward(self, mels: Tensor) -> Tensor:
        """See the class."""
        x = self.cnn(self.unet(mels.unsqueeze(1))).transpose(1, 2).flatten(2)
        out: Tensor = self.fc(x)
        return out


class Rmvpe:
    """The tracker; made by `load`."""

    def __init__(self, network: RmvpeNetwork) -> None:
        self._network = network
        self.device, self.dtype = network.cnn.weight.device, network.cnn.weight.dtype
        self._cents = FIRST_CENTS + BIN_CENTS * torch.arange(BINS, device=self.device)
        self._window = torch.hann_window(WINDOW, device=self.device)
        self._filters = torchaudio.functional.melscale_fbanks(
            WINDOW // 2 + 1, LOW_HZ, HIGH_HZ, MELS, SAMPLE_RATE, norm="slaney", mel_scale="htk"
        ).to(self.device)

    @classmethod
    def load(cls, path: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Self:
        """Read `rmvpe.pt`, the tensors of the network by name.

        Args:
            path: the file.
            device, dtype: where and in what the network computes.

        Raises:
            WeightsCorrupt: damaged, or another kind of file or of network; nothing in it is executed.
        """
        state = dict(tensors_of(path, load_torch(path, MOST_BYTES)))
        with torch.device("meta"):
            network = RmvpeNetwork()
        for name in network.state_dict():
            if name.endswith("num_batches_tracked"):  # counters of a training, which older files lack
                state.setdefault(name, torch.tensor(0))
        fill(path, network, state)
        return cls(network.to(device, dtype))

    @torch.no_grad()
    def track(self, audio: Tensor, threshold: float = THRESHOLD) -> Tensor:
        """The pitch of some rows of sound.

        Args:
            audio: (rows, samples) float32 at 16 kHz, all of one length.
            threshold: salience from which a frame is voiced.

        Returns:
            (rows, 1 + samples // HOP) Hz, 0 unvoiced, 100 a second; frame n is centred on sample n · HOP.

        Raises:
            AudioTooShort: 32 ms or less.
        """
        return decode(self.salience(audio), self._cents, threshold)

    @torch.no_grad()
    def salience(self, audio: Tensor) -> Tensor:
        """What the network says: (rows, samples) -> (rows, 1 + samples // HOP, BINS) float32."""
        mels = self.mels(audio).to(self.dtype)
        frames = mels.shape[1]
        padded = functional.pad(mels, (0, 0, 0, -frames % MULTIPLE))
        out: Tensor = self._network(padded)
        return out[:, :frames].float()

    def mels(self, audio: Tensor) -> Tensor:
        """(rows, samples) -> (rows, 1 + samples // HOP, MELS) natural logarithm of mel magnitudes."""
        if audio.shape[1] <= WINDOW // 2:
            raise AudioTooShort(
                f"{audio.shape[1]} samples are too few for a pitch: more than {WINDOW // 2} are needed"
            )
        spectrum = torch.stft(audio.to(self.device), WINDOW, HOP, window=self._window, return_complex=True)
        mels: Tensor = spectrum.abs().transpose(1, 2) @ self._filters
        return mels.clamp(min=QUIET).log()
