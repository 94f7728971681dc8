"""Whose recordings take part in training, and whose never do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# bench.voice reports on the first line, development on the second
RESERVED = {"533", "1688", "2033", "3005", "3080", "19", "26", "27", "1089", "908"} | {
    *("1188", "2300", "1284", "1320")
}
UNKNOWN_SPEAKERS = ("speech", "libritts")  # may hold any of them
LICENCES = {
    "librispeech": "CC BY 4.0",
    "libritts": "CC BY 4.0",
    "vctk": "CC BY 4.0",
    "ljspeech": "public domain",
}


def training_recordings(audio: Path) -> Iterator[tuple[str, Path]]:
    """Recordings of speech, by a name that begins with `real_<corpus>-<speaker>_`."""
    for room in ("more_speakers", "speech"):
        for file in sorted((audio / room).rglob("*.flac")):
            parts = file.relative_to(audio).parts
            if RESERVED & set(parts) or parts[:2] == UNKNOWN_SPEAKERS:
                continue
            voice = "-".join(parts[1:-1])
            if parts[:2] == ("speech", "vctk"):
                voice = f"vctk-{file.stem[:4]}"
            yield f"real_{voice}_{file.stem}", file
