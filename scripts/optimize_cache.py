#!/usr/bin/env python3
"""Keep the cache below its size, least recently used first: `autovoice cache clean`."""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["cache", "clean"]
    main()
