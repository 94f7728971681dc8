"""The RVC voice of each row, and the models that sing them: one on the device for all rows that share it."""

from __future__ import annotations

import copy
import weakref

import numpy as np
import torch

from pipeline.converters.blend import check_share
from pipeline.converters.rvc.synthesiser import Synthesiser
from pipeline.converters.rvc.voice import RvcVoice
from pipeline.voice import Target, Voice


class Models:
    """Networks on a device: as many copies as there are models in use, however many rows sing them."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self._there: weakref.WeakKeyDictionary[Synthesiser, Synthesiser] = weakref.WeakKeyDictionary()

    def get(self, network: Synthesiser) -> Synthesiser:
        """The model on the device; itself, if it is there as it is."""
        if self.device.type == "cpu" and self.dtype == torch.float32:
            return network
        there = self._there.get(network)
        if there is None:
            there = copy.deepcopy(network).to(self.device, self.dtype)
            if there.architecture.pitched:
                there.dec.m_source.float().load_state_dict(network.dec.m_source.state_dict())
            self._there[network] = there
        return there


class RvcVoices:
    """The target of each row; until set, a row keeps the singer's own voice."""

    def __init__(self, rows: int, models: Models) -> None:
        self._models = models
        self.voices: list[RvcVoice | None] = [None] * rows
        self.networks: list[Synthesiser | None] = [None] * rows
        self.known = np.zeros(rows, np.bool_)
        self.log_f0 = np.zeros(rows)  # log2 of the pitch in Hz, 0 where that is not known
        self.semitones = np.zeros(rows, np.float32)
        self.formant = np.zeros(rows, np.float32)
        self.rms_mix = np.ones(rows, np.float32)

    def set(self, row: int, voice: Target) -> None:
        """Give a row its target.

        Raises:
            ValueError: a voice of another kind.
        """
        if not isinstance(voice, RvcVoice):
            raise ValueError(f"{voice.name!r} can only be sung by {voice.converters[0]!r}")
        settings = voice.settings
        self.networks[row] = self._models.get(voice.synthesiser)
        self.voices[row] = voice
        self.log_f0[row] = 0.0 if voice.median_f0_hz is None else np.log2(voice.median_f0_hz)
        self.semitones[row], self.formant[row] = settings.pitch_semitones, settings.formant_semitones
        self.rms_mix[row] = settings.rms_mix
        self.known[row] = True

    def move(self, models: Models) -> None:
        """Let the networks of all rows be those of another device."""
        self._models = models
        for row, voice in enumerate(self.voices):
            self.networks[row] = None if voice is None else models.get(voice.synthesiser)

    def clear(self, row: int) -> None:
        """Let a row keep the singer's own voice again."""
        self.voices[row] = self.networks[row] = None
        self.known[row] = False
        self.log_f0[row] = self.semitones[row] = self.formant[row] = 0.0
        self.rms_mix[row] = 1.0

    def blend(self, row: int, voice: Voice | None, share: float) -> None:
        """RVC voices are whole networks, which do not blend; merge two of one kind instead.

        Raises:
            ValueError: a second voice.
        """
        check_share(share)
        if voice is not None:
            raise ValueError(
                "RVC voices cannot be blended while singing; merge two checkpoints into a new voice"
            )
