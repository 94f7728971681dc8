#!/usr/bin/env python3
"""What in the folder of weights nothing needs: `autovoice weights-unused`; with --remove it is removed."""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["weights-unused"]
    main()
