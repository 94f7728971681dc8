"""The commands about voices: make, list, show, delete, use. Those about RVC voices are in `cli_rvc`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from auto_voice.settings import Settings, load_settings

if TYPE_CHECKING:
    from auto_voice.storage.profiles import ProfileStore
    from pipeline.converters.blend import Blend

voices = typer.Typer(help="List, show and delete voices.", no_args_is_help=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


def open_store(settings: Settings) -> ProfileStore:
    """The voices of a server with these settings."""
    from auto_voice.storage.profiles import ProfileStore

    return ProfileStore(settings.storage.voice_profiles_dir, models_dir=settings.storage.models_dir)


def voice_clone(
    audio: Annotated[Path, typer.Option(help="a recording of one voice, 30 to 120 s")],
    user_id: Annotated[str, typer.Option(help="whom the voice belongs to")],
    name: Annotated[str, typer.Option(help="what it is called")] = "My voice",
    description: Annotated[str, typer.Option(help="anything worth knowing")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a voice from a recording."""
    from auto_voice.voice_making import measure_file

    settings = load_settings(config)
    console = Console(stderr=True)
    with console.status("measuring the voice (half a minute or so)"):
        measured = measure_file(audio, name, settings)
    profile = open_store(settings).create(measured, user_id, name, description)
    if as_json:
        print(json.dumps(profile, indent=1, ensure_ascii=False))
        return
    heard = profile["vocal_range"]
    console.print(f"[green]{escape(name)}[/] is voice [bold]{profile['profile_id']}[/]", highlight=False)
    score = measured.quality_metrics["quality_score"]
    console.print(f"  {heard['min_note']} to {heard['max_note']}, quality {score:.2f}", highlight=False)
    for warning in profile["warnings"]:
        console.print(f"  [yellow]note:[/] {escape(warning)}", highlight=False)


@voices.command("list")
def list_voices(
    user_id: Annotated[str | None, typer.Option(help="only this user's, and the built-in ones")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List all voices."""
    found, _ = open_store(load_settings(config)).list(user_id, 0, 10_000)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    table = Table("id", "name", "range", "owner", "description", box=None)
    for profile in found:
        heard, owner = profile["vocal_range"], profile["user_id"] or "built in"
        span = f"{heard['min_note']}–{heard['max_note']}" if heard else profile["kind"].upper()
        row = (profile["profile_id"], profile["profile_name"], span, owner, profile["description"])
        table.add_row(*(escape(text) for text in row))
    Console().print(table)
    needs = {need["command"] for profile in found for need in profile["needs"]}
    for command in sorted(needs):
        Console(stderr=True).print(f"RVC voices cannot sing before you run: {command}", highlight=False)


@voices.command("show")
def show_voice(voice_id: str, config: ConfigOption = None) -> None:
    """Print all that is known of a voice, as JSON."""
    print(json.dumps(open_store(load_settings(config)).get(voice_id), indent=1, ensure_ascii=False))


@voices.command("delete")
def delete_voice(
    voice_id: str,
    user_id: Annotated[str, typer.Option(help="whom it belongs to")],
    config: ConfigOption = None,
) -> None:
    """Delete a voice for good."""
    open_store(load_settings(config)).delete(voice_id, user_id)
    Console(stderr=True).print(f"voice {escape(voice_id)} is deleted", highlight=False)


def _read_blend(store: ProfileStore, text: str | None) -> Blend | None:
    """Read VOICE:SHARE."""
    from auto_voice.settings import SettingsError
    from pipeline.converters.blend import Blend, check_share

    if text is None:
        return None
    voice, _, words = text.rpartition(":")
    try:
        share = check_share(float(words) if voice else None)
    except ValueError as problem:
        raise SettingsError(
            f"--blend is VOICE:SHARE with a share from 0 to 1, such as aria:0.3, not {text!r}"
        ) from problem
    return Blend(store.measured_voice(voice), share)


def convert_voice(
    source: Annotated[Path, typer.Argument(help="a recording")],
    target: Annotated[Path, typer.Argument(help="where the result goes: .wav, .flac, .ogg or .mp3")],
    voice: Annotated[str, typer.Option(help="id of the voice")],
    pitch: Annotated[float, typer.Option(help="semitones")] = 0.0,
    formant: Annotated[float, typer.Option(help="semitones")] = 0.0,
    dry_wet: Annotated[float, typer.Option(help="0 is the singer, 1 the voice")] = 1.0,
    auto_pitch: Annotated[bool, typer.Option(help="first move whole octaves towards the voice")] = True,
    blend: Annotated[
        str | None, typer.Option(metavar="VOICE:SHARE", help="a second voice and its share, such as aria:0.3")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Convert a recording, through the code that live sessions use (an RVC voice hears all of it at once)."""
    from auto_voice.settings import SettingsError
    from auto_voice.storage.errors import NotMeasured
    from pipeline import io
    from pipeline.converters.base import Controls
    from pipeline.converters.kept import KeptConverters
    from pipeline.converters.stream import convert_recording
    from pipeline.voice import Voice

    settings = load_settings(config)
    store = open_store(settings)
    loaded, second = store.voice(voice), _read_blend(store, blend)
    if second is not None and not isinstance(loaded, Voice):
        raise NotMeasured(loaded.name)
    try:
        controls = Controls(pitch, auto_pitch, formant, dry_wet)
    except ValueError as problem:
        raise SettingsError(str(problem)) from problem
    io.check_writable(target)
    sound = io.decode(source, sample_rate=48_000, max_seconds=3600)
    converter = KeptConverters(settings.storage.models_dir).prepared(loaded)
    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("converting", total=1.0)
        result = convert_recording(
            converter,
            sound.samples,
            loaded,
            controls,
            lambda done: bars.update(bar, completed=done),
            second,
        )
    io.encode(target, result, converter.sample_rate)
