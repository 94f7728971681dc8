"""`autovoice quality`: what a conversion is like, in figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from auto_voice.settings import load_settings

LONGEST_S = 600.0
WORST_HZ, LEAST_LIKENESS, LEAST_SCORE = 10.0, 0.85, 0.75  # what operators of old were told to aim at


def quality(
    original: Annotated[Path, typer.Argument(help="what was sung")],
    converted: Annotated[Path, typer.Argument(help="what was made of it")],
    target: Annotated[Path | None, typer.Option(help="a recording of the voice that was asked for")] = None,
    semitones: Annotated[float, typer.Option(help="the transposition that was meant")] = 0.0,
    config: Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")] = None,
) -> None:
    """Measure a conversion; prints JSON, and exit code 1 when a figure misses its target."""
    from auto_voice.utils.quality_metrics import QualityMetricsAggregator
    from pipeline import io
    from pipeline.speaker import SAMPLE_RATE, SpeakerEncoder
    from pipeline.weights import fetch

    models = load_settings(config).storage.models_dir
    embedding = None
    if target is not None:
        encoder = SpeakerEncoder(fetch("resemblyzer", models))
        embedding = encoder.embed(io.decode(target, sample_rate=SAMPLE_RATE, max_seconds=LONGEST_S).samples)
    found = QualityMetricsAggregator(models).compute_all_metrics(
        original, converted, target_embedding=embedding, semitones=semitones
    )
    warnings = _warnings(found)
    print(json.dumps({**found, "warnings": warnings}, indent=1))
    raise typer.Exit(1 if warnings else 0)


def quality_report(
    output: Annotated[Path, typer.Option("--output", "-o", help="an HTML file")],
    last: Annotated[int, typer.Option(min=1, max=10_000, help="songs, the newest")] = 200,
    config: Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")] = None,
) -> None:
    """Write a page of figures about the songs that the server's database knows; a song that expired is gone."""
    from auto_voice.jobs.model import Status
    from auto_voice.jobs.store import JobStore
    from auto_voice.quality_page import page
    from auto_voice.storage.database import migrate

    url = load_settings(config).database_url
    migrate(url)
    store = JobStore(url)
    done = [job for job in store.list(None, 0, 100_000)[0] if job.status is Status.COMPLETED]
    aside = output.with_name(f".{output.name}.part")
    aside.write_text(page(done[:last], store.counts()), encoding="utf-8")
    aside.replace(output)  # a web server may be showing the old one
    store.close()


def _warnings(found: dict[str, Any]) -> list[str]:
    """What misses its target; what could not be measured misses none."""
    figures = (
        ("pitch RMSE", found["pitch_accuracy"]["rmse_hz"], WORST_HZ, "Hz", 1),
        ("speaker similarity", found["speaker_similarity"]["cosine_similarity"], LEAST_LIKENESS, "", -1),
        ("overall quality", found["overall_quality_score"], LEAST_SCORE, "", -1),
    )
    return [
        f"{name} is {value:.3g}{unit and ' ' + unit}, the target {bound:g}"
        for name, value, bound, unit, sign in figures
        if value is not None and sign * value > sign * bound
    ]
