"""The network on a GPU that may be lost or full: then it goes on, on the CPU, with the next frame."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.converters.native.device import DeviceEnvelopes, DeviceMemory
from pipeline.converters.native.envelopes import Envelopes, Memory
from pipeline.converters.native.frames import Frames
from pipeline.converters.native.voices import NativeVoices

log = logging.getLogger(__name__)

Float = NDArray[np.float32]
Int = NDArray[np.int64]


@dataclass
class SparedMemory:
    """What the network remembers of each row: on the device while that is there, else on the CPU."""

    owner: SparedEnvelopes
    device: DeviceMemory | None
    cpu: Memory

    def reset(self, row: int) -> None:
        """Forget what a row has heard."""
        self.cpu.reset(row)
        if self.device is not None and self.owner.trouble is None:
            try:
                self.device.reset(row)
            except RuntimeError as problem:
                self.owner.lose(problem)


class SparedEnvelopes:
    """A renderer that uses the first of two for as long as it works.

    The CPU has not heard what the device has, which soon does not matter: the network's past is short.
    Torch raises RuntimeError for a lost device as for one without memory; a mistake of ours would be raised
    again by the CPU.

    Args:
        make: puts the network on a GPU.
        cpu: the same network.
    """

    def __init__(self, make: Callable[[], DeviceEnvelopes], cpu: Envelopes) -> None:
        self._cpu = cpu
        self.trouble: str | None = None
        self._device: DeviceEnvelopes | None = None
        try:
            self._device = make()
        except RuntimeError as problem:
            self.lose(problem)

    @property
    def together(self) -> bool:
        """Whether all rows of a step must be asked for in one call."""
        return self.trouble is None

    def open(self, rows: int) -> SparedMemory:
        """Allocate what `rows` streams remember."""
        memory = SparedMemory(self, None, self._cpu.open(rows))
        if self._device is not None:
            try:
                memory.device = self._device.open(rows)
            except RuntimeError as problem:
                self.lose(problem)
        return memory

    def render(
        self,
        memory: SparedMemory,
        rows: Int,
        frames: Frames,
        ratio: NDArray[np.float64],
        voices: NativeVoices,
    ) -> Float:
        """Shapes (n, BANDS) that the targets of the n `rows` would have now, `ratio` (rows,) times higher."""
        if memory.device is not None and self._device is not None:
            try:
                return self._device.render(memory.device, rows, frames, ratio, voices)
            except RuntimeError as problem:
                self.lose(problem)
        return self._cpu.render(memory.cpu, rows, frames, ratio, voices)

    def lose(self, problem: RuntimeError) -> None:
        """Use the device no more (call while handling what it raised)."""
        log.exception("the GPU failed; its work is done on the CPU from now on")
        self._device = None
        self.trouble = f"the GPU failed ({str(problem).splitlines()[0][:200]}): running on the CPU"
