#!/usr/bin/env python3
"""Add a user: `autovoice users create`. Takes --username, too, as the runbook of old did."""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["users", "create"]
    sys.argv = [part for part in sys.argv if part != "--username"]
    main()
