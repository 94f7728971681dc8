#!/usr/bin/env python3
"""The network of `native` as ONNX, compared with torch, and as an engine: `autovoice export --tensorrt`."""

import importlib.util
import sys

from auto_voice.cli import main

if __name__ == "__main__":
    built = importlib.util.find_spec("tensorrt") is not None
    if not built:
        sys.stderr.write("TensorRT is not installed: the ONNX file alone is written\n")
    sys.argv[1:1] = ["export", "--tensorrt"] if built else ["export"]
    main()
