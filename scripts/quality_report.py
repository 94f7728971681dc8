#!/usr/bin/env python3
"""A page of figures of the songs that were converted: `autovoice quality-report --output FILE.html`.

Takes --conversions FOLDER, as the runbook of old did: the database knows what is there.
"""

import sys

from auto_voice.cli import main

if __name__ == "__main__":
    if "--conversions" in sys.argv[:-1]:
        at = sys.argv.index("--conversions")
        sys.stderr.write("--conversions has no effect: the figures are in the database\n")
        del sys.argv[at : at + 2]
    sys.argv[1:1] = ["quality-report"]
    main()
