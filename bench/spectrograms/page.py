"""One page that holds everything: spectrograms of the same time and frequencies, players, figures."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.spectrograms.image import COLUMNS_PER_S, HEIGHT, place_of, png, spectrogram
from pipeline import io
from pipeline.pitch.offline import PitchTrack

Float = NDArray[np.float32]

TICKS_HZ = (100, 200, 500, 1000, 2000, 5000)
JUMP = 1.2  # a larger ratio between neighbours is a new line, not a glide
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One recording."""

    name: str
    audio: Float  # (samples,)
    pitch: PitchTrack
    figures: dict[str, str]  # what was measured -> how much, in words


@dataclass(frozen=True)
class Section:
    """Recordings to be seen above each other, on the time of the longest."""

    title: str
    words: str
    rows: Sequence[Row]


def build_page(title: str, words: str, sections: Sequence[Section], credits_: str, sample_rate: int) -> str:
    """The page as XHTML-conformant HTML that loads nothing.

    Args:
        title, words: what the page shows and how to read it.
        sections: at least one, each with at least one row.
        credits_: whose recordings these are, and their licences.
        sample_rate: Hz, of all recordings.
    """
    body = "\n".join(_section(section, sample_rate) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>{escape(title)}</title>
<link rel="icon" href="data:," />
<style>
{(HERE / "page.css").read_text()}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p>{escape(words)}</p>
<label><input type="checkbox" id="pitch" checked="checked" /> draw the pitch</label>
</header>
<main>
{body}
</main>
<footer><p>{escape(credits_)}</p></footer>
<script>
{(HERE / "page.js").read_text()}</script>
</body>
</html>
"""


def _section(section: Section, sample_rate: int) -> str:
    length = max(len(row.audio) for row in section.rows)
    seconds = length / sample_rate
    rows = "\n".join(_row(row, section.title, length, sample_rate) for row in section.rows)
    step = 2 if seconds > 5 else 1
    times = "".join(
        f'<span style="left:{100 * at / seconds:.2f}%">{at} s</span>' for at in range(0, int(seconds), step)
    )
    return (
        f"<section>\n<h2>{escape(section.title)}</h2>\n<p>{escape(section.words)}</p>\n{rows}\n"
        f'<div class="times" aria-hidden="true">{times}</div>\n</section>'
    )


def _row(row: Row, of: str, length: int, sample_rate: int) -> str:
    padded = np.pad(row.audio, (0, length - len(row.audio)))
    picture = base64.b64encode(png(spectrogram(padded, sample_rate))).decode()
    sound = base64.b64encode(_opus(row.audio, sample_rate)).decode()
    seconds = length / sample_rate
    figures = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in row.figures.items())
    ticks = "".join(
        f'<span style="bottom:{100 * place_of(hz):.2f}%">{f"{hz // 1000}k" if hz >= 1000 else hz}</span>'
        for hz in TICKS_HZ
    )
    line = _pitch_line(row.pitch)
    name = escape(row.name)
    return f"""<figure>
<figcaption><h3>{name}</h3>{f"<dl>{figures}</dl>" if figures else ""}</figcaption>
<div class="picture" data-seconds="{seconds:.4f}">
<img alt="Spectrogram: {name} of {escape(of)}" src="data:image/png;base64,{picture}" />
<svg viewBox="0 0 {seconds * COLUMNS_PER_S:.0f} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
<path class="casing" d="{line}" /><path d="{line}" /></svg>
<div class="ticks" aria-hidden="true">{ticks}</div>
<i></i>
</div>
<audio controls="controls" preload="metadata" aria-label="{name}" src="data:audio/ogg;base64,{sound}"></audio>
</figure>"""


def _pitch_line(pitch: PitchTrack) -> str:
    """The path of a pitch, in columns and rows of the picture; empty where nothing is voiced."""
    parts: list[str] = []
    before = 0.0
    for at_s, hz in zip(pitch.times_s, pitch.f0_hz, strict=True):
        if hz > 0:
            joined = before > 0 and 1 / JUMP < hz / before < JUMP
            place = f"{at_s * COLUMNS_PER_S:.1f} {HEIGHT * (1 - place_of(float(hz))):.1f}"
            parts.append(("L" if joined else "M") + place)
        before = float(hz)
    return "".join(parts)


def _opus(audio: Float, sample_rate: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sound.ogg"
        io.encode(file, audio, sample_rate)
        return file.read_bytes()
