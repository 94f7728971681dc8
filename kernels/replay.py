"""Replay of CUDA graphs: a function of tensors, recorded once for each batch size and run again in place.

Launching the many small kernels of a streaming step costs more than running them; a recorded graph is launched
as one (NVIDIA, "Getting started with CUDA graphs", 2019). On the CPU the function is called as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import ismethod
from weakref import WeakMethod

import torch
from torch import Tensor

Function = Callable[[Tensor, Tensor], Tensor]

WARM_UP = 3  # calls before a recording, in which libraries choose and allocate


def padded_size(count: int) -> int:
    """The batch size that `count` rows run in: the next power of two."""
    return 1 << max(count - 1, 0).bit_length()


class Replay:
    """Calls `function(rows, inputs)` for any number of rows.

    Args:
        function: (size,) int64 rows and (size, features) float32 inputs to (size, …) outputs. It may change
            tensors of its own, but must neither allocate what it keeps nor look at values.
        features: inputs per row.
        spare: a row that nobody uses: batches are filled up with it.
        device: where all of it is.
        graphs: record on a GPU; otherwise every kernel is launched, as on the CPU.
    """

    def __init__(
        self, function: Function, features: int, spare: int, device: torch.device, graphs: bool = True
    ) -> None:
        # whoever owns the function owns this, too: a strong reference would keep both alive for long
        self._method = WeakMethod(function) if ismethod(function) else None
        self._function = None if self._method is not None else function
        self._features = features
        self._spare = spare
        self._device = device
        self._recorded: dict[int, Recorded] = {}
        self._records = graphs and device.type == "cuda"
        self._pool = torch.cuda.graph_pool_handle() if self._records else None
        self._stream = torch.cuda.Stream(device) if self._records else None  # type: ignore[no-untyped-call]

    def _call(self, rows: Tensor, inputs: Tensor) -> Tensor:
        function = self._function if self._method is None else self._method()
        assert function is not None
        return function(rows, inputs)

    def record(self, most: int) -> None:
        """Record every size that up to `most` rows run in, so that no live step has to."""
        if not self._records:
            return
        with torch.inference_mode():
            for size in (1 << power for power in range(padded_size(most).bit_length())):
                self._recorded[size] = self._record(size)

    def __call__(self, rows: Tensor, inputs: Tensor) -> Tensor:
        """Outputs (n, …) for n `rows` (n,) and `inputs` (n, features), all on the CPU; valid until the next."""
        return self.launch(rows, inputs)()

    def launch(self, rows: Tensor, inputs: Tensor) -> Callable[[], Tensor]:
        """Begin the same; what is returned waits for the outputs. Several may be at work on a GPU at a time."""
        size = padded_size(len(rows))
        if not self._records:
            made = self._call(rows.to(self._device), inputs.to(self._device))
            return made.cpu
        if size not in self._recorded:
            self._recorded[size] = self._record(size)
        return self._recorded[size].launch(rows, inputs)

    def _record(self, size: int) -> Recorded:
        """Record the function for `size` rows."""
        rows = torch.full((size,), self._spare, device=self._device)
        inputs = torch.zeros(size, self._features, device=self._device)
        aside = self._stream
        assert aside is not None
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self._call(rows, inputs)
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # on a stream of its own, whose libraries' workspaces no other graph shares; other threads may allocate
        with torch.cuda.graph(graph, pool=self._pool, stream=aside, capture_error_mode="thread_local"):
            outputs = self._call(rows, inputs)
        return Recorded(graph, aside, self._spare, rows, inputs, outputs)


class Recorded:
    """A recorded graph, the buffers it reads and writes, and pinned ones on the host from and to which they are
    copied on a stream of their own."""

    def __init__(
        self,
        graph: torch.cuda.CUDAGraph,
        stream: torch.cuda.Stream,
        spare: int,
        rows: Tensor,
        inputs: Tensor,
        outputs: Tensor,
    ) -> None:
        self._graph, self._stream, self._spare = graph, stream, spare
        self._device = rows, inputs, outputs
        self._host = tuple(torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in self._device)

    def launch(self, rows: Tensor, inputs: Tensor) -> Callable[[], Tensor]:
        """Begin with `rows` (n,) and `inputs` (n, features), n up to its size; see `Replay.launch`."""
        count = len(rows)
        host_rows, host_inputs, host_outputs = self._host
        device_rows, device_inputs, device_outputs = self._device
        host_rows.fill_(self._spare)
        host_rows[:count] = rows
        host_inputs[:count] = inputs
        self._stream.wait_stream(torch.cuda.current_stream(device_rows.device))  # what changed rows in between
        with torch.cuda.stream(self._stream):
            device_rows.copy_(host_rows, non_blocking=True)
            device_inputs.copy_(host_inputs, non_blocking=True)
            self._graph.replay()
            host_outputs.copy_(device_outputs, non_blocking=True)

        def wait() -> Tensor:
            self._stream.synchronize()
            return host_outputs[:count]

        return wait
