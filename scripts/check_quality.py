#!/usr/bin/env python3
"""Measure a conversion against the targets: `autovoice quality ORIGINAL CONVERTED [--target RECORDING]`."""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["quality"]
    main()
