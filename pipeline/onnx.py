"""Networks in ONNX files, run by ONNX Runtime: the one place that imports it.

From 1.29 on its Linux builds tell their makers what they run, and where, unless the environment says otherwise
before they are loaded. A singer's server reports to nobody, so here it says so.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as kinds

REFUSED = (  # what a session raises
    kinds.Fail,
    kinds.InvalidArgument,
    kinds.InvalidGraph,
    kinds.InvalidProtobuf,
    kinds.NoSuchFile,
    kinds.NotImplemented,
    kinds.RuntimeException,
)


class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
    """One that says in Python's words when there is no memory."""

    def run(self, *arguments: Any, **more: Any) -> Any:
        """As `InferenceSession.run`.

        Raises:
            MemoryError: there is too little.
        """
        try:
            return super().run(*arguments, **more)
        except (kinds.Fail, kinds.RuntimeException) as problem:
            if "allocate memory" in str(problem) or "bad_alloc" in str(problem):
                raise MemoryError(str(problem)) from problem
            raise


def open_session(model: Path, threads: int = 1) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU.

    Args:
        model: a file.
        threads: that it computes with.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return Session(str(model), options, providers=["CPUExecutionProvider"])
