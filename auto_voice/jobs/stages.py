"""The stages of each kind of job, as clients see them."""

from __future__ import annotations

# from and to, in percent of the whole
STAGES = {
    "song": {"separation": (0, 25), "pitch": (25, 40), "conversion": (40, 80), "mixing": (80, 100)},
    "stage": {"separation": (0, 65), "pitch": (65, 85), "melody": (85, 92), "encoding": (92, 100)},
    "take": {"pitch": (0, 25), "conversion": (25, 85), "mixing": (85, 100)},
}
