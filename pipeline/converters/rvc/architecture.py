"""What an RVC checkpoint says of its network: a list of eighteen numbers, checked before anything is built."""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import PipelineError

Version = Literal["v1", "v2"]

FRAME_RATE = 100  # latent frames per second, in every RVC model
FEATURES: dict[Version, int] = {"v1": 256, "v2": 768}
SAMPLE_RATES = (32_000, 40_000, 48_000)
_WORDS = reprlib.Repr()
_WORDS.maxlevel, _WORDS.maxstring, _WORDS.maxlong = 1, 60, 20


class VoiceModelUnusable(PipelineError):
    """A file that is no RVC voice, or none that can be sung here."""

    code = "invalid_voice_model"


@dataclass(frozen=True)
class Architecture:
    """Hyper-parameters of a synthesiser; models of equal architecture can be computed in one batch."""

    version: Version  # "v1": features of layer 9, projected; "v2": of layer 12
    pitched: bool  # whether it has an embedding of pitch and a harmonic source
    inter: int  # width of latents
    hidden: int  # of the prior encoder and the flow
    filter: int  # of the prior encoder's feed-forward layers
    heads: int
    layers: int
    kernel: int  # of the feed-forward layers
    res_kernels: tuple[int, ...]
    res_dilations: tuple[tuple[int, ...], ...]
    rates: tuple[int, ...]  # of the decoder's upsamplings
    up_kernels: tuple[int, ...]
    width: int  # of the decoder before its first upsampling
    speakers: int
    speaker_width: int
    sample_rate: int

    @property
    def features(self) -> int:
        """Width of the content features."""
        return FEATURES[self.version]

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        return math.prod(self.rates)

    def config(self) -> list[Any]:
        """The list of 18 that `read_architecture` takes; what only training needs has its usual value."""
        spectrum = 1025 if self.sample_rate > 32_000 else 513
        sizes = [self.inter, self.hidden, self.filter, self.heads, self.layers, self.kernel]
        decoder = [list(self.res_kernels), [list(each) for each in self.res_dilations], list(self.rates)]
        ups = [self.width, list(self.up_kernels)]
        return [
            spectrum,
            32,
            *sizes,
            0,
            "1",
            *decoder,
            *ups,
            self.speakers,
            self.speaker_width,
            self.sample_rate,
        ]


def read_architecture(config: Any, version: Any, f0: Any, speakers: int) -> Architecture:
    """The architecture that a checkpoint's `config` describes.

    Args:
        config: the list of 18 in the file.
        version: "v1", "v2", or None in old files, which are "v1".
        f0: 1 or 0, or a bool, or None in old files, which have pitch.
        speakers: rows of the speaker embedding, which the list often has wrong.

    Raises:
        VoiceModelUnusable: something that is no such list, or a network unlike every RVC model.
    """
    known: Version
    asked = version or "v1" if isinstance(version, str | None) else version
    for known in FEATURES:
        if isinstance(asked, str) and asked == known:
            break
    else:
        raise VoiceModelUnusable(f"its version is {shown(version)}; v1 and v2 are known")
    f0 = 1 if f0 is None else f0
    if not isinstance(f0, int | float | str) or f0 not in (0, 1, "0", "1"):
        raise VoiceModelUnusable(f"its entry 'f0' is {shown(f0)}, not 0 or 1")
    if not isinstance(config, list | tuple) or len(config) != 18:
        raise VoiceModelUnusable("its entry 'config' is not the list of 18 values of an RVC voice")
    if not isinstance(config[9], str) or config[9] != "1":
        raise VoiceModelUnusable(f"its decoder has residual blocks of kind {shown(config[9])}; '1' is known")
    dilations = config[11]
    if not isinstance(dilations, list | tuple) or not 1 <= len(dilations) <= 4:
        raise VoiceModelUnusable("its list of dilations is none")
    made = Architecture(
        version=known,
        pitched=bool(int(f0)),
        inter=_number(config[2], "inter_channels", 2, 1024),
        hidden=_number(config[3], "hidden_channels", 2, 1024),
        filter=_number(config[4], "filter_channels", 1, 4096),
        heads=_number(config[5], "n_heads", 1, 16),
        layers=_number(config[6], "n_layers", 1, 24),
        kernel=_number(config[7], "kernel_size", 1, 15),
        res_kernels=_numbers(config[10], "resblock_kernel_sizes", 1, 31),
        res_dilations=tuple(_numbers(each, "resblock_dilation_sizes", 1, 31) for each in dilations),
        rates=_numbers(config[12], "upsample_rates", 2, 32),
        width=_number(config[13], "upsample_initial_channel", 2, 2048),
        up_kernels=_numbers(config[14], "upsample_kernel_sizes", 2, 64),
        speakers=_number(speakers, "number of speakers", 1, 10_000),
        speaker_width=_number(config[16], "gin_channels", 1, 1024),
        sample_rate=_number(config[17], "sample rate", 8000, 96_000),
    )
    _check(made)
    return made


def _check(made: Architecture) -> None:
    if made.sample_rate not in SAMPLE_RATES:
        raise VoiceModelUnusable(f"its sample rate is {made.sample_rate} Hz, not 32, 40 or 48 kHz")
    if made.hop * FRAME_RATE != made.sample_rate:
        raise VoiceModelUnusable(f"its decoder makes {made.hop} samples of 10 ms at {made.sample_rate} Hz")
    if made.inter % 2 or made.hidden % made.heads:
        raise VoiceModelUnusable("its widths cannot be divided among its flows and heads")
    if len(made.up_kernels) != len(made.rates) or len(made.res_dilations) != len(made.res_kernels):
        raise VoiceModelUnusable("its lists of kernels, rates and dilations are of different lengths")
    if made.width % (1 << len(made.rates)):
        raise VoiceModelUnusable(f"its decoder cannot halve {made.width} channels {len(made.rates)} times")
    steps = [math.prod(made.rates[i + 1 :]) for i in range(len(made.rates))]
    if made.pitched and any(step % 2 and step > 1 for step in steps):
        raise VoiceModelUnusable(f"its source does not go with upsampling by {made.rates}")
    for rate, kernel in zip(made.rates, made.up_kernels, strict=True):
        if kernel < rate or (kernel - rate) % 2:
            raise VoiceModelUnusable(f"a kernel of {kernel} does not go with upsampling by {rate}")
    if any(kernel % 2 == 0 for kernel in (*made.res_kernels, made.kernel)):
        raise VoiceModelUnusable("its convolutions have no middle")


def _number(value: Any, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise VoiceModelUnusable(f"its {name} is {shown(value)}, not a whole number from {low} to {high}")
    return value


def _numbers(value: Any, name: str, low: int, high: int) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= 8:
        raise VoiceModelUnusable(f"its {name} are {shown(value)}, not one to eight whole numbers")
    return tuple(_number(each, name, low, high) for each in value)


def shown(value: Any) -> str:
    """A value of a file in a few words, however large or deep it is."""
    return (
        _WORDS.repr(value)
        if isinstance(value, str | int | float | list | tuple | None)
        else type(value).__name__
    )
