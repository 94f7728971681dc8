"""The networks of RVC on a stream, for all rows of a batch: what is kept between steps, and the step itself.

Everything here is on one device, has a row per stream and one more that nobody uses (batches of recorded graphs
are filled up with it), and looks at no value: a step can be recorded as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from kernels.noise import normal
from kernels.replay import Replay
from pipeline.converters.rvc.architecture import FEATURES, Version
from pipeline.converters.rvc.batch import Batch
from pipeline.converters.rvc.formants import FormantShift
from pipeline.converters.rvc.rates import Decimator, Interpolator
from pipeline.converters.rvc.shaping import coarse_pitch, protect, to_pitch_rate
from pipeline.converters.rvc.synthesiser import Synthesiser
from pipeline.converters.rvc.timing import FRAME
from pipeline.vocoder.history import History, history_size

# of a row, beside its pitch: which speaker, how much of what is found in unvoiced frames, the formants' factor
PARAMETERS = 3
NOISE_PLACES = 1 << 40  # the source's noise is drawn from here on, the latents' before


class Content(Protocol):
    """A content encoder."""

    projected: int  # width of its features for v1; 0: it has none

    def encode(self, audio: Tensor, version: Version) -> Tensor:
        """(n, samples) at 16 kHz -> (n, frames, width), 50 frames a second."""


class Hearing:
    """What a batch of streams was heard to say: audio at 16 kHz, and the newest content features of it."""

    def __init__(self, encoder: Content, version: Version, batch: Batch) -> None:
        rows, timing, device = batch.rows, batch.timing, batch.device
        self._encoder, self._version, self._timing = encoder, version, timing
        self._decimator = Decimator().to(device)
        self._recent = torch.zeros(rows + 1, 2 * Decimator.SIDE, device=device)
        self._audio = torch.zeros(rows + 1, timing.heard, device=device)
        self._mirrors = 2 * timing.block >= 3 * timing.heard  # a step brings half of what is heard, or more
        self._begun = torch.zeros(rows + 1, dtype=torch.bool, device=device)
        shape = rows + 1, timing.revised // 2, FEATURES[version]
        self.features = torch.zeros(shape, device=device, dtype=batch.dtype)
        self._replay = Replay(self._step, timing.block, rows, device, batch.graphs)

    def reset(self, row: int) -> None:
        """Forget what a row has heard."""
        for tensor in (self._recent, self._audio, self._begun, self.features):
            tensor[row] = 0

    def hear(self, rows: Tensor, sound: Tensor) -> None:
        """Take (n, block) at 48 kHz of n `rows`; afterwards `features` has their newest content."""
        self._replay(rows, sound)

    def _step(self, rows: Tensor, sound: Tensor) -> Tensor:
        joined = torch.cat((self._recent[rows], sound), 1)
        self._recent[rows] = joined[:, -2 * Decimator.SIDE :]
        newest = self._decimator(joined)
        before = self._audio[rows]
        if self._mirrors:  # the network normalises over time: long silence before a song would colour all of it
            earlier = torch.flip(newest, (1,))[:, -before.shape[1] :]
            earlier = torch.cat((before[:, : before.shape[1] - earlier.shape[1]], earlier), 1)
            before = torch.where(self._begun[rows][:, None], before, earlier)
            self._begun[rows] = True
        audio = torch.cat((before, newest), 1)[:, -self._timing.heard :]
        self._audio[rows] = audio
        content = self._encoder.encode(audio, self._version)
        self.features[rows] = content[:, -self.features.shape[1] :].to(self.features.dtype)
        return sound[:, :1]


class Memory:
    """What is kept of each stream of one architecture between steps."""

    def __init__(self, network: Synthesiser, batch: Batch) -> None:
        size, timing = network.architecture, batch.timing

        def zeros(*shape: int, kind: torch.dtype = batch.dtype) -> Tensor:
            return torch.zeros(batch.rows + 1, *shape, device=batch.device, dtype=kind)

        self.said = zeros(timing.context, size.features)  # content by frame
        self.f0_hz = zeros(timing.context, kind=torch.float32)
        self.frame = zeros(kind=torch.int64)  # frames known so far
        self.phase = zeros(kind=torch.float64)  # of the source before the first frame that is not final, cycles
        self.past = zeros(decoder_memory(network))
        sides = Interpolator(size.sample_rate).side + FormantShift(size.sample_rate).side
        self.made = zeros(sides, kind=torch.float32)  # the decoder's last samples
        self.seed = zeros(kind=torch.int64)

    def reset(self, row: int) -> None:
        """Forget what a row has sung."""
        for tensor in (self.said, self.f0_hz, self.frame, self.phase, self.past, self.made):
            tensor[row] = 0


def decoder_memory(network: Synthesiser) -> int:
    """How many numbers the decoder keeps for a stream."""
    size = network.architecture
    # one frame of it, computed where tensors have shapes only
    with torch.device("meta"):
        shape = Synthesiser(size)
        latent, speaker = torch.zeros(1, size.inter, 1), torch.zeros(1, size.speaker_width, 1)
        source = torch.zeros(1, 1, size.hop) if size.pitched else None
        return history_size(lambda past: shape.dec(latent, speaker, source, past))


class Singer:
    """One model that sings for any rows of a batch.

    Args:
        network: where the batch is.
        memory: of the rows, shared by all models of its architecture.
        heard: (rows + 1, frames / 2, features) the newest content, and ...
        found: ... what retrieval made of it; the same tensor where nothing is retrieved.
        batch: the rows, and where they are.
    """

    def __init__(
        self, network: Synthesiser, memory: Memory, heard: Tensor, found: Tensor, batch: Batch
    ) -> None:
        self._network, self._memory, self._timing = network, memory, batch.timing
        self._heard, self._found = heard, found
        self._interpolator = Interpolator(network.architecture.sample_rate).to(batch.device)
        self._formants = FormantShift(network.architecture.sample_rate).to(batch.device)
        inputs = batch.timing.stride + PARAMETERS
        self._plain = Replay(self._plain_step, inputs, batch.rows, batch.device, batch.graphs)
        self._shifted = Replay(self._shifted_step, inputs, batch.rows, batch.device, batch.graphs)

    def begin(self, rows: Tensor, inputs: Tensor) -> Callable[[], Tensor]:
        """Begin a block of n `rows`; models that have begun run side by side on a GPU.

        Args:
            rows: (n,) int64.
            inputs: (n, stride + PARAMETERS): the pitch to sing of the newest frames in Hz, 0 unvoiced; the
                speaker; `protect`; the factor by which formants move.

        Returns:
            What waits for (n, block) at 48 kHz, on the CPU.
        """
        shifted = bool((inputs[:, self._timing.stride + 2] != 1.0).any())
        return (self._shifted if shifted else self._plain).launch(rows, inputs)

    def _plain_step(self, rows: Tensor, inputs: Tensor) -> Tensor:
        return self._step(False, rows, inputs)

    def _shifted_step(self, rows: Tensor, inputs: Tensor) -> Tensor:
        return self._step(True, rows, inputs)

    def _step(self, shifted: bool, rows: Tensor, inputs: Tensor) -> Tensor:
        net, memory, timing, size = self._network, self._memory, self._timing, self._network.architecture
        speaker_id, amount, factor = inputs[:, timing.stride :].unbind(1)
        f0_hz = torch.cat((memory.f0_hz[rows], inputs[:, : timing.stride]), 1)[:, timing.stride :]
        memory.f0_hz[rows] = f0_hz
        said = self._said(rows, f0_hz, amount)
        known = memory.frame[rows] + timing.stride
        memory.frame[rows] = known
        speaker = net.speaker(speaker_id.long())
        pitch = coarse_pitch(f0_hz) if size.pitched else None
        mean, log_std = net.enc_p(said, pitch)
        flowing = timing.flowing
        places = (known - flowing) * size.inter
        noise = normal(memory.seed[rows], places, flowing * size.inter).view(-1, flowing, size.inter)
        latent = net.drawn(
            mean[..., -flowing:], log_std[..., -flowing:], noise.transpose(1, 2).to(mean.dtype), speaker
        )[..., -timing.computed :]
        source = (
            self._source(rows, f0_hz[:, -timing.computed :], known - timing.computed) if size.pitched else None
        )
        past = History(memory.past[rows], timing.stride)
        sound = net.dec(latent, speaker, source, past)[:, 0].float()
        memory.past[rows] = past.kept()
        joined = torch.cat((memory.made[rows], sound), 1)
        end = timing.stride * size.hop
        memory.made[rows] = joined[:, end : end + memory.made.shape[1]]
        made: Tensor = self._interpolator(self._shaped(joined, factor, shifted), timing.stride * FRAME)
        return made

    def _shaped(self, joined: Tensor, factor: Tensor, shifted: bool) -> Tensor:
        """What was decoded, from where the interpolator begins, its formants moved where that is asked."""
        side = self._formants.side
        plain = joined[:, side:]
        if not shifted:
            return plain
        hop = self._formants.hop
        moved = self._formants(joined[:, : (joined.shape[1] - 2 * side) // hop * hop + 2 * side], factor)
        return torch.where(factor[:, None] == 1.0, plain[:, : moved.shape[1]], moved)

    def _said(self, rows: Tensor, f0_hz: Tensor, amount: Tensor) -> Tensor:
        """Content of all frames of the context (n, context, features)."""
        memory, timing = self._memory, self._timing
        heard, found = (to_pitch_rate(features[rows]) for features in (self._heard, self._found))
        newest = protect(found, heard, f0_hz[:, -timing.revised :], amount)
        before = memory.said[rows][:, timing.stride : timing.context - timing.revised + timing.stride]
        said = torch.cat((before, newest), 1)
        memory.said[rows] = said
        return said

    def _source(self, rows: Tensor, f0_hz: Tensor, first: Tensor) -> Tensor:
        """Excitation of the frames that are decoded, from frame `first` on."""
        memory, timing, size = self._memory, self._timing, self._network.architecture
        places = NOISE_PLACES + first * size.hop
        source, phases = self._network.dec.m_source.placed(
            f0_hz, memory.seed[rows], places, memory.phase[rows], size.hop, size.sample_rate
        )
        memory.phase[rows] = phases[:, timing.stride]
        made: Tensor = source.to(self._network.dec.conv_post.weight.dtype)
        return made
