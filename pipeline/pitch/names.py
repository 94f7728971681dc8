"""The trackers from which a song's melody can come; `pipeline.pitch.trackers` opens them."""

from __future__ import annotations

TRACKERS = ("swiftf0", "fcpe", "rmvpe")  # the first unless told otherwise
