#!/usr/bin/env python3
"""Take a song apart and say how well its parts add up: `autovoice separate SONG --output FOLDER --measure`."""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--song"]  # as runbooks of old call it
    sys.argv[1:] = ["separate", *arguments, "--measure"]
    main()
