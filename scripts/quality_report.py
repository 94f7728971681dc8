#!/usr/bin/env python3
"""A page of figures of the songs that were converted: `autovoice quality-report --output FILE.html`."""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["quality-report"]
    main()
