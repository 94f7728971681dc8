"""The commands about songs: convert and separate (in this process, without a server), and the jobs of one."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from auto_voice.cli_voices import ConfigOption, JsonOption
from auto_voice.jobs.stages import STAGES
from auto_voice.settings import Settings, SettingsError, load_settings

jobs = typer.Typer(help="List, show and cancel the conversions of a server.", no_args_is_help=True)

PresetOption = Annotated[
    str | None, typer.Option(help="fast, balanced or quality; the settings' default without")
]


@contextmanager
def _bars(stages: dict[str, tuple[int, int]]) -> Iterator[Callable[[str, float], None]]:
    """A progress bar per stage, on standard error."""
    columns = (TextColumn("{task.description:12s}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks = {stage: bars.add_task(stage, total=1.0, start=False) for stage in stages}

        def tell(stage: str, fraction: float) -> None:
            bars.start_task(tasks[stage])
            bars.update(tasks[stage], completed=fraction)

        yield tell


def _quiet() -> None:
    """What is worth knowing stands in the notes; the log would only stand between the bars."""
    logging.getLogger("pipeline").setLevel(logging.ERROR)


def _preset(settings: Settings, name: str | None) -> str:
    preset = name or settings.quality.default_preset
    if preset not in settings.quality.allowed:
        raise SettingsError(
            f"there is no preset {preset!r}", f"use one of {', '.join(settings.quality.allowed)}"
        )
    return preset


def _within(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise SettingsError(f"{name} must be a number from {low:g} to {high:g}")
    return value


def convert_song(
    song: Annotated[Path, typer.Argument(help="a song")],
    voice: Annotated[str, typer.Option(help="id of the voice")],
    output: Annotated[Path, typer.Option("--output", "-o", help="where it goes: .wav, .flac, .ogg or .mp3")],
    preset: PresetOption = None,
    pitch: Annotated[float, typer.Option(help="semitones, -12 to 12")] = 0.0,
    shift_accompaniment: Annotated[bool, typer.Option(help="move the accompaniment, too")] = False,
    vocal_volume: Annotated[float, typer.Option(help="0 to 2")] = 1.0,
    instrumental_volume: Annotated[float, typer.Option(help="0 to 2")] = 0.9,
    stems: Annotated[bool, typer.Option("--stems", help="also write the vocals and the instrumental")] = False,
    use_cache: Annotated[bool, typer.Option(help="use what earlier conversions have found")] = True,
    pitch_tracker: Annotated[str, typer.Option(help="swiftf0, fcpe or rmvpe")] = "swiftf0",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Convert a whole song: its vocals in another voice, over its accompaniment."""
    from auto_voice.jobs.song import SongConverter
    from auto_voice.jobs.song_request import FORMATS, SongRequest
    from auto_voice.storage.cache import open_cache
    from auto_voice.storage.profiles import ProfileStore
    from pipeline.pitch.names import TRACKERS

    _quiet()
    settings = load_settings(config)
    suffix = output.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise SettingsError(f"cannot write {output.name}", f"use one of .{', .'.join(FORMATS)}")
    request = SongRequest(
        voice_id=voice,
        preset=_preset(settings, preset),
        vocal_volume=_within("--vocal-volume", vocal_volume, 0, 2),
        instrumental_volume=_within("--instrumental-volume", instrumental_volume, 0, 2),
        pitch_shift_semitones=_within("--pitch", pitch, -12, 12),
        shift_accompaniment=shift_accompaniment,
        return_stems=stems,
        use_cache=use_cache,
        output_format=suffix,
        pitch_tracker=pitch_tracker,
    )
    if pitch_tracker not in TRACKERS:
        raise SettingsError(f"there is no tracker {pitch_tracker!r}", f"use one of {', '.join(TRACKERS)}")
    target = ProfileStore(settings.storage.voice_profiles_dir).voice(voice)
    output.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=output.parent, prefix=".autovoice-") as folder,
        _bars(STAGES["song"]) as tell,
    ):
        converter = SongConverter(settings, open_cache(settings))
        result = converter.convert(song, request, target, Path(folder), tell)
        names = {"converted": output.name} | {
            stem: f"{output.stem}.{stem}.wav" for stem in result["files"] if stem != "converted"
        }
        for kind, name in result["files"].items():
            shutil.move(Path(folder) / name, output.parent / names[kind])
    result["files"] = {kind: str(output.parent / name) for kind, name in names.items()}
    _tell(result, as_json)


def _tell(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, indent=1, ensure_ascii=False))
        return
    console = Console(stderr=True)
    for note in result["notes"]:
        console.print(f"[yellow]note:[/] {escape(note)}", highlight=False, soft_wrap=True)
    for kind, name in result["files"].items():
        console.print(f"{kind:14s}{escape(name)}", highlight=False, soft_wrap=True)


def separate_song(
    song: Annotated[Path, typer.Argument(help="a song")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the stems")] = Path(),
    preset: PresetOption = None,
    measure: Annotated[bool, typer.Option("--measure", help="say in JSON how well the stems add up")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Take a song apart: SONG.vocals.wav and SONG.accompaniment.wav (32-bit float) add up to the song."""
    from auto_voice.jobs.parts import SongParts
    from auto_voice.storage.cache import open_cache

    _quiet()
    settings = load_settings(config)
    with _bars({"separation": STAGES["song"]["separation"]}) as tell:
        stems = SongParts(settings, open_cache(settings)).stems(song, _preset(settings, preset), True, tell)
    output.mkdir(parents=True, exist_ok=True)
    files = {name: output / f"{song.stem}.{name}.wav" for name in ("vocals", "accompaniment")}
    for name, path in files.items():
        shutil.copyfile(getattr(stems, name).path, path)
    notes = [stems.choice.note] if stems.choice.note else []
    told: dict[str, Any] = {"files": {name: str(path) for name, path in files.items()}, "notes": notes}
    if measure:
        from pipeline.song.sums import measure_stems

        told["figures"] = asdict(measure_stems(song, stems.vocals, stems.accompaniment))
    _tell(told, as_json or measure)


def _store(config: Path | None) -> Any:
    from auto_voice.jobs.store import JobStore
    from auto_voice.storage.database import migrate

    url = load_settings(config).database_url
    migrate(url)
    return JobStore(url)


@jobs.command("list")
def list_jobs(
    user_id: Annotated[str | None, typer.Option(help="only this user's")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List conversions, the newest first."""
    from auto_voice.web.job_view import describe

    found, _ = _store(config).list(user_id, 0, 1000)
    if as_json:
        print(json.dumps([describe(job) for job in found], indent=1, ensure_ascii=False))
        return
    table = Table("id", "status", "progress", "song", "made", box=None)
    for job in found:
        made = datetime.fromtimestamp(job.created_at, UTC).isoformat(sep=" ", timespec="minutes")
        song = str(job.parameters.get("song_name"))
        table.add_row(job.id, job.status, f"{job.progress:.0f} %", escape(song), made)
    Console().print(table)


@jobs.command("show")
def show_job(job_id: str, config: ConfigOption = None) -> None:
    """Print all that is known of a conversion, as JSON."""
    from auto_voice.web.job_view import describe

    print(json.dumps(describe(_store(config).get(job_id)), indent=1, ensure_ascii=False))


@jobs.command("cancel")
def cancel_job(job_id: str, config: ConfigOption = None) -> None:
    """Give a conversion up."""
    job = _store(config).cancel(job_id)
    Console(stderr=True).print(f"{job.id} is {job.status}", highlight=False)
