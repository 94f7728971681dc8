#!/usr/bin/env python3
"""Make the database, or bring it to the newest schema: `autovoice db migrate`."""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["db", "migrate"]

    main()
