"""Write a checkpoint as the file that is shipped: half precision, safetensors.

python -m training.native.export --checkpoint FILE [--to FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from pipeline.converters.native.weights import FILE


def main() -> None:
    """Read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--to", type=Path, default=FILE)
    args = parser.parse_args()
    stored = torch.load(args.checkpoint, weights_only=True)
    tensors = {name: tensor.half().contiguous() for name, tensor in stored["average"].items()}
    save_file({**tensors, "prior": stored["prior"].half()}, args.to)
    print(f"wrote {args.to}, {args.to.stat().st_size} bytes, after {stored['step']} steps")


if __name__ == "__main__":
    main()
