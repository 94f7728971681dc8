#!/usr/bin/env python3
"""Fetch and verify the weights: `autovoice weights`, with names of others (htdemucs, htdemucs_ft) if wanted.

Takes --version, as the runbook of old did: the weights are those of the program that is here.
"""

import sys

from auto_voice import __version__
from auto_voice.cli import main

if __name__ == "__main__":
    if "--version" in sys.argv[:-1]:
        at = sys.argv.index("--version")
        if sys.argv[at + 1].removeprefix("v") != __version__:
            sys.exit(f"this is version {__version__}, which has its own weights: check out the other one first")
        del sys.argv[at : at + 2]
    sys.argv[1:1] = ["weights"]
    main()
