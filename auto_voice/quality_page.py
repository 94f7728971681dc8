"""A page of figures about converted songs: one HTML file without scripts, plots as SVG."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from auto_voice.jobs.model import Job

WIDTH, HEIGHT, MARGIN = 640, 160, 36
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
body { color: #1b1f24; background: #fff }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d8dee4 }
.miss { color: #b42318; font-weight: 600 }
svg { max-width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: #57606a }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117 }
  th, td { border-color: #30363d }
  .miss { color: #ff8a80 }
  svg text { fill: #8b949e }
}
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AutoVoice: quality of songs</title>
<style>{style}</style>
</head>
<body>
<h1>Quality of converted songs</h1>
<p>Made {made}. Conversions: {totals}. Below: the last {shown} that were completed.</p>
{plots}
{table}
</body>
</html>
"""


@dataclass(frozen=True)
class Measure:
    """One figure of a conversion, where it is found, and what it should reach."""

    title: str
    unit: str
    path: tuple[str, ...]
    target: float
    low_is_good: bool

    def of(self, job: Job) -> float | None:
        """Its value, where it was measured."""
        found: Any = (job.result or {}).get("quality_metrics", {})
        for name in self.path:
            found = found.get(name) if isinstance(found, dict) else None
        return float(found) if isinstance(found, int | float) else None

    def missed(self, value: float) -> bool:
        """Whether a value falls short."""
        return value > self.target if self.low_is_good else value < self.target


MEASURES = (
    Measure("Pitch error", "Hz RMSE", ("pitch_accuracy", "rmse_hz"), 10.0, True),
    Measure("Likeness to the voice", "cosine", ("speaker_similarity", "cosine_similarity"), 0.85, False),
)


def page(jobs: Sequence[Job], counts: dict[str, int], now: datetime | None = None) -> str:
    """The whole page.

    Args:
        jobs: those that were completed, the newest first.
        counts: jobs by status.
        now: when it is made.
    """
    made = (now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    totals = ", ".join(f"{n} {html.escape(status)}" for status, n in sorted(counts.items())) or "none"
    plots = "".join(_plot(measure, jobs) for measure in MEASURES)
    heads = "".join(f"<th>{m.title}, {m.unit}</th>" for m in MEASURES)
    table = (
        f"<table><tr><th>song</th><th>voice</th><th>ended</th>{heads}</tr>{''.join(map(_row, jobs))}</table>"
        if jobs
        else "<p>No song has been converted yet.</p>"
    )
    return PAGE.format(
        style=STYLE,
        made=made,
        totals=totals,
        shown=len(jobs),
        plots=plots,
        table=f'<div class="wide">{table}</div>',
    )


def _row(job: Job) -> str:
    ended = (
        ""
        if job.finished_at is None
        else datetime.fromtimestamp(job.finished_at, UTC).strftime("%Y-%m-%d %H:%M")
    )
    request = job.parameters.get("request", {})
    texts = (job.parameters.get("song_name") or job.id, request.get("voice_id", ""), ended)
    cells = "".join(f"<td>{html.escape(str(text))}</td>" for text in texts)
    for measure in MEASURES:
        value = measure.of(job)
        if value is None:
            cells += "<td>not measured</td>"
        else:
            missed = ' class="miss"' if measure.missed(value) else ""
            cells += f"<td{missed}>{value:.3g}</td>"
    return f"<tr>{cells}</tr>"


def _plot(measure: Measure, jobs: Sequence[Job]) -> str:
    """Values in the order of the songs, with a line at the target."""
    values = [value for job in reversed(jobs) if (value := measure.of(job)) is not None]
    if not values:
        return ""
    missed = sum(measure.missed(value) for value in values)
    top = 1.05 * max(*values, measure.target)

    def y(value: float) -> float:
        return HEIGHT - MARGIN / 2 - value / top * (HEIGHT - MARGIN)

    step = (WIDTH - 2 * MARGIN) / max(len(values) - 1, 1)
    dots = "".join(
        f'<circle cx="{MARGIN + i * step:.1f}" cy="{y(max(v, 0.0)):.1f}" r="3" '
        f'fill="{"#d1483a" if measure.missed(v) else "#2f81f7"}"/>'
        for i, v in enumerate(values)
    )
    at = y(measure.target)
    said = f"{measure.title}: {missed} of {len(values)} miss the target {measure.target:g} {measure.unit}"
    return (
        f'<h2>{measure.title}</h2><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">'
        f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{at:.1f}" y2="{at:.1f}" '
        'stroke="#8b949e" stroke-dasharray="4"/>'
        f'<text x="0" y="{at + 4:.1f}">{measure.target:g}</text><text x="0" y="12">{top:.3g}</text>{dots}</svg>'
        f"<p>{said}.</p>"
    )
