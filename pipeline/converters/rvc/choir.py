"""Who sings in which row: the networks and memories of a batch of streams, made when a voice needs them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.converters.rvc.architecture import Architecture, Version
from pipeline.converters.rvc.batch import Batch
from pipeline.converters.rvc.rows import RvcVoices
from pipeline.converters.rvc.singing import PARAMETERS, Content, Hearing, Memory, Singer
from pipeline.converters.rvc.synthesiser import Synthesiser
from pipeline.converters.rvc.voice import RvcVoice

Int = NDArray[np.int64]
Float = NDArray[np.float32]


class Choir:
    """Everything of some rows that is on one device.

    Args:
        content: the content encoder there.
        batch: the rows, and where they are.
    """

    def __init__(self, content: Content, batch: Batch) -> None:
        self._content, self._batch = content, batch
        self._hearings: dict[Version, Hearing] = {}
        self._found: dict[Version, Tensor] = {}  # content after retrieval
        self._memories: dict[Architecture, Memory] = {}
        self._singers: dict[Synthesiser, Singer] = {}
        self._voices: list[RvcVoice | None] = [None] * batch.rows  # who sang in each row last, and ...
        self._networks: list[Synthesiser | None] = [None] * batch.rows  # ... with what

    def reset(self, row: int) -> None:
        """Forget everything a row has heard and sung."""
        with torch.inference_mode():
            for hearing in self._hearings.values():
                hearing.reset(row)
            for memory in self._memories.values():
                memory.reset(row)
        self._voices[row] = self._networks[row] = None
        self._dismiss()

    def follow(self, rows: Int, voices: RvcVoices) -> list[int]:
        """Make ready what `rows` need for their voices; returns those that have another one than before."""
        changed = []
        for row in rows.tolist():
            voice, network = voices.voices[row], voices.networks[row]
            if voice is None or network is None or voice is self._voices[row]:
                continue
            self._change(row, network)
            self._voices[row] = voice
            changed.append(row)
        if changed:
            self._dismiss()
        return changed

    def sing(
        self, rows: Int, sound: Tensor, voices: RvcVoices, f0_hz: Float, factors: Float, made: Tensor
    ) -> None:
        """Fill `made` where rows have voices: content for all, then each model its rows.

        Args:
            rows: (n,), followed.
            sound: (n, block) at 48 kHz.
            voices: of all rows.
            f0_hz: (rows, stride) the pitch to sing, 0 unvoiced.
            factors: (rows,) by which formants move.
            made: (n, block), written.
        """
        by_version: dict[Version, list[int]] = {}
        by_model: dict[Synthesiser, list[int]] = {}
        for place, row in enumerate(rows):
            network = voices.networks[row]
            if network is not None:
                by_version.setdefault(network.architecture.version, []).append(place)
                by_model.setdefault(network, []).append(place)
        for version, places in by_version.items():
            speaking = torch.from_numpy(rows[places])
            self._hearings[version].hear(speaking, sound[places])
            self._retrieve(version, speaking, voices)
        begun = []
        for network, places in by_model.items():
            inputs = self._inputs(rows[places], voices, f0_hz, factors)
            begun.append((places, self._singers[network].begin(torch.from_numpy(rows[places]), inputs)))
        for places, finish in begun:
            made[places] = finish()

    def _inputs(self, rows: Int, voices: RvcVoices, f0_hz: Float, factors: Float) -> Tensor:
        stride = self._batch.timing.stride
        inputs = np.zeros((len(rows), stride + PARAMETERS), np.float32)
        inputs[:, :stride] = f0_hz[rows]
        for i, row in enumerate(rows):
            voice = voices.voices[row]
            assert voice is not None
            inputs[i, stride:] = voice.settings.speaker, voice.settings.protect, factors[row]
        return torch.from_numpy(inputs)

    def _retrieve(self, version: Version, rows: Tensor, voices: RvcVoices) -> None:
        heard, found = self._hearings[version].features, self._found[version]
        found[rows] = heard[rows]
        for row in rows.tolist():
            voice = voices.voices[row]
            if voice is not None and voice.retrieval is not None and voice.settings.index_rate > 0:
                # indices are in the host's memory: they are larger than networks, and few frames are looked up
                own = heard[row][None].float().cpu()
                found[row] = voice.retrieval.blend(own, voice.settings.index_rate)[0].to(found)

    def _change(self, row: int, network: Synthesiser) -> None:
        """Let another network sing in a row."""
        size, before = network.architecture, self._networks[row]
        version, kind = size.version, _kind(size)
        if version not in self._hearings:
            self._hearings[version] = Hearing(self._content, version, self._batch)
            self._found[version] = self._hearings[version].features.clone()
        if kind not in self._memories:
            self._memories[kind] = Memory(network, self._batch)
        if network not in self._singers:
            heard, found = self._hearings[version].features, self._found[version]
            self._singers[network] = Singer(network, self._memories[kind], heard, found, self._batch)
        with torch.inference_mode():
            if before is None or before.architecture.version != version:
                self._hearings[version].reset(row)
            if before is None or _kind(before.architecture) != kind:
                self._memories[kind].reset(row)
        self._networks[row] = network

    def _dismiss(self) -> None:
        """Drop what nobody sings with any more."""
        for network in [one for one in self._singers if one not in self._networks]:
            del self._singers[network]
        needed = {_kind(one.architecture) for one in self._singers}
        for kind in [one for one in self._memories if one not in needed]:
            del self._memories[kind]


def _kind(size: Architecture) -> Architecture:
    """What memories depend on: the number of speakers is none of it."""
    return replace(size, speakers=1)
