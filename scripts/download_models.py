#!/usr/bin/env python3
"""Fetch and verify the weights: `autovoice weights`, with names of others (contentvec, htdemucs) if wanted."""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["weights"]
    main()
