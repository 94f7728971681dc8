"""The weights of `native`, trained by `training.native` and shipped with the program."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file

from pipeline.converters.native.network import NativeNet

FILE = Path(__file__).parent / "native.safetensors"


@dataclass(frozen=True)
class Weights:
    """A trained network and what goes with it."""

    net: NativeNet
    prior: NDArray[np.float32]  # (BANDS,) mean voiced shape of the average voice
    fingerprint: str  # of the file


@cache
def load_weights(file: Path = FILE) -> Weights:
    """Read them.

    Raises:
        OSError: the file is not there.
        SafetensorError: it is damaged.
        RuntimeError: it holds another network.
    """
    tensors = {name: tensor.float() for name, tensor in load_file(file).items()}
    prior = tensors.pop("prior").numpy()
    net = NativeNet()
    net.load_state_dict(tensors)
    net.requires_grad_(False)
    net.eval()
    return Weights(net, prior, hashlib.sha256(file.read_bytes()).hexdigest()[:16])
