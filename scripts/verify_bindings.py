#!/usr/bin/env python3
"""Is all that is compiled there, and right? `autovoice doctor`: torch, kernels, codecs, weights, speed."""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["doctor"]
    main()
